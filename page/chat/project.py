"""The open project: its name, and what holds in its conversations that do not say otherwise themselves.

Knows what is chosen; not how a reply is made with it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st

import backends
from conversations import exchange
from conversations.library import files, reading
from conversations.store import MessageError, NotFoundError, Project, Store, clean, format_count, personas, projects
from documents.kind import READABLE
from page.chat.files import draw_document, upload_limit
from page.session.actions import file_problem
from page.session.binding import accept_change, bind, draw_select
from page.session.context import PageContext
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.project import open_project
from prompts.persona import Persona
from prompts.system import system_prompt
from tools import list_tools

NOTE = "What is set here holds in every chat of the project that does not say otherwise itself."
FOREIGN = "A file brought this project: what its system prompt orders is done only with your leave."
USUAL = "As usual"


def draw(context: PageContext, project: Project | None) -> None:
    """Draw a button with the project's name, and behind it all that can be done with it."""
    if project is None:
        return
    with st.popover(escape_markdown(project.name), icon=":material/folder_open:", key="project"):
        st.caption(NOTE)
        _draw_text(context.store, project, "Name", "name", project.name, max_chars=projects.MAX_NAME)
        _draw_speaker(context, project)
        _draw_backend(context, project)
        _draw_tools(context, project)
        _draw_documents(context, project)
        st.download_button(
            "Export project",
            lambda: "".join(exchange.export_project(context.store, project.id)),
            f"{project.id}.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
        _draw_deletion(context.store, project)


def _update(store: Store, project_id: str, name: str, value: Any) -> None:
    try:
        projects.update(store, project_id, **{name: value})
    except (NotFoundError, MessageError) as error:
        defer_error(str(error))


def _bound(
    store: Store, project: Project, name: str, value: Any, to_column: Callable[[Any], Any] | None = None
) -> dict[str, Any]:
    """The arguments of a widget that shows a column of the project, and sets it to `to_column` of a choice."""
    shown = f"project-{name}-{project.id}"
    key = bind(shown, value)

    def set_it(chosen: Any) -> None:
        _update(store, project.id, name, to_column(chosen) if to_column else chosen)

    return {"key": key, "on_change": accept_change, "args": (shown, key, set_it)}


def _draw_text(store: Store, project: Project, label: str, name: str, value: str, **options: Any) -> None:
    st.text_input(label, value, **_bound(store, project, name, value), **options)


def _draw_speaker(context: PageContext, project: Project) -> None:
    """Draw who answers: a persona, or else a system prompt."""
    store = context.store
    if project.imported:
        st.caption(f":material/warning: {FOREIGN}")
        st.button(
            "I have read it, and it is mine now",
            key=f"own-{project.id}",
            on_click=_update,
            args=(store, project.id, "system", project.system),
        )
    persona = Persona.from_dict(project.persona) if project.persona else None
    available = personas.available(store).personas
    options: list[Persona | None] = [None, *([persona] if persona and persona not in available else []), *available]
    st.selectbox(
        "Persona of the project",
        options,
        options.index(persona),
        format_func=lambda each: f"{each.name}: {each.description}" if each else "No persona",
        **_bound(store, project, "persona", persona, lambda each: each and each.to_dict()),
    )
    if persona is not None:
        st.caption("The persona's sentences are the system prompt.")
        return
    usual = system_prompt(context.settings.system_prompt)
    text = usual if project.system is None else project.system
    st.text_area(
        "System prompt of the project",
        text,
        max_chars=projects.MAX_SYSTEM,
        **_bound(store, project, "system", text, lambda entered: _own_prompt(entered, usual)),
    )


def _own_prompt(entered: str | None, usual: str) -> str | None:
    text = clean(entered or "")
    return None if text == usual else text


def _draw_backend(context: PageContext, project: Project) -> None:
    """Draw the picker of what answers; another than before brings no model's name of its server."""
    names = [status.name for status in backends.status(context.settings)]
    options = [None, *names, *([project.backend] if project.backend not in (None, *names) else [])]
    draw_select(
        "Backend of the project",
        options,
        project.backend,
        lambda each: each or USUAL,
        f"project-backend-{project.id}",
        partial(_set_backend, context.store, project.id),
    )


def _set_backend(store: Store, project_id: str, name: str | None) -> None:
    try:
        projects.update(store, project_id, backend=name, model=None)
    except NotFoundError as error:
        defer_error(str(error))


def _draw_tools(context: PageContext, project: Project) -> None:
    usable = [info.name for info in list_tools(context.settings) if info.availability_error is None]
    chosen = list(project.tools or ())
    options = [*usable, *(name for name in chosen if name not in usable)]
    st.multiselect(
        "Tools of the project",
        options,
        chosen,
        format_func=escape_markdown,
        placeholder="None",
        **_bound(context.store, project, "tools", chosen, lambda picked: list(picked) or None),
    )


def _draw_documents(context: PageContext, project: Project) -> None:
    """Draw the documents that every chat of the project answers from, and a box for more."""
    for row in files.project_listing(context.store, project.id):
        draw_document(context.store, row)
    turn: int = st.session_state.setdefault("project-files", 0)  # another key empties the box
    key = f"project-files-{turn}"
    st.file_uploader(
        f"Documents of the project: {READABLE}",
        accept_multiple_files=True,
        key=key,
        max_upload_size=upload_limit(context.limits),
        on_change=_upload,
        args=(context, project.id, key),
    )


def _upload(context: PageContext, project_id: str, key: str) -> None:
    """Have the files read, or say of each why it cannot be."""
    uploads: Sequence[Any] = st.session_state[key]
    st.session_state["project-files"] += 1
    given = [(each.name, each.getvalue()) for each in uploads]
    problems = [problem for name, data in given if (problem := file_problem(name, data, context.limits))]
    if problems:
        defer_error("\n".join(map(escape_markdown, problems)))
        return
    for name, data in given:
        reading.start(context.store, None, name, data, project_id)


def _draw_deletion(store: Store, project: Project) -> None:
    """Draw Delete, and once it was pressed the question what becomes of the conversations."""
    asked = f"deleting-{project.id}"
    if not st.session_state.get(asked):
        st.button(
            "Delete project", icon=":material/delete:", key=f"ask-{project.id}", on_click=_ask, args=(asked, True)
        )
        return
    inside = format_count(projects.count(store, project.id), "chat")
    st.warning(safe_markdown(f"Delete {project.name} with its documents? Its {inside}:"), icon=":material/delete:")
    with st.container(horizontal=True, key="deletion"):
        for label, with_conversations in (("Keep them", False), ("Delete them too", True)):
            st.button(
                label, key=f"{label}-{project.id}", on_click=_delete, args=(store, project.id, with_conversations)
            )
        st.button("Cancel", key=f"cancel-{project.id}", on_click=_ask, args=(asked, False))


def _ask(asked: str, is_asked: bool) -> None:
    st.session_state[asked] = is_asked


def _delete(store: Store, project_id: str, with_conversations: bool) -> None:
    with suppress(NotFoundError):  # it is gone already, which was the aim
        projects.delete(store, project_id, with_conversations)
    open_project(None)
