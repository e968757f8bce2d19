"""The project of the open conversation, begun or not. Knows the session and the store; draws nothing."""

from typing import Any

from conversations.store import Conversation, Effective, NotFoundError, Project, Store, projects, resolve, resolve_row
from page.session.current import current_conversation, open_conversation


def read_project(store: Store, conversation: Conversation | None) -> Project | None:
    """The project as it is now; None where the conversation is in none, or it was deleted meanwhile."""
    fields = current_conversation().new_fields
    project_id = conversation.project_id if conversation else fields.get("project_id")
    if project_id is None:
        return None
    try:
        return projects.get(store, project_id)
    except NotFoundError:
        fields.pop("project_id", None)
        return None


def open_project(project_id: str | None) -> None:
    """Show a new chat in this project; None: in none."""
    open_conversation()
    if project_id is not None:
        current_conversation().new_fields["project_id"] = project_id


def effective(conversation: Conversation | None, project: Project | None) -> Effective:
    """What holds in the conversation, or in the one that will begin."""
    if conversation is not None:
        return resolve_row(conversation, project)
    return resolve(current_conversation().new_fields, project)


def own_choice(conversation: Conversation | None, name: str) -> Any:
    """What the conversation says itself, begun or not; None where it takes over what its project says."""
    return getattr(conversation, name) if conversation else current_conversation().new_fields.get(name)
