"""What holds in a conversation: what it says itself, else what its project says, else what the app has.

`resolve` is the one place that decides. Knows records; no query, and nothing of what the app has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversations.store.project_table import Project
from conversations.store.schema import Conversation
from prompts.persona import Persona

NO_PERSONA: dict[str, Any] = {}  # a conversation's own choice of none, whatever its project has
NAMES = ("system", "persona", "backend", "model", "tools")


@dataclass(frozen=True)
class Effective:
    """The choices that hold; None is what the app has. At most one of `system` and `persona` is set.

    `speaks_project`: that one is the project's.
    """

    system: str | None = None
    persona: dict[str, Any] | None = None
    backend: str | None = None
    model: str | None = None
    tools: tuple[str, ...] = ()
    speaks_project: bool = False

    @property
    def system_prompt(self) -> str | None:
        """The persona's sentences, or the system prompt; None where the usual one holds."""
        return Persona.from_dict(self.persona).system if self.persona else self.system


def resolve(own: Mapping[str, Any], project: Project | None) -> Effective:
    """What holds where a conversation has these fields, begun or not.

    A system prompt and a persona stand for each other, so either of a conversation's goes before either of a
    project's; a model goes with its backend. An empty list of tools, and `NO_PERSONA`, are choices too.
    """
    system, persona = own.get("system"), own.get("persona")
    inherits = project is not None and not persona and system is None
    if project is not None and inherits:
        system, persona = project.system, project.persona if persona is None else None
    backend, model, tools = own.get("backend"), own.get("model"), own.get("tools")
    if project is not None and backend is None and model is None:
        backend, model = project.backend, project.model
    if project is not None and tools is None:
        tools = project.tools
    return Effective(None if persona else system, persona or None, backend, model, tuple(tools or ()), inherits)


def resolve_row(conversation: Conversation, project: Project | None) -> Effective:
    """What holds in this conversation, which is of this project."""
    return resolve({name: getattr(conversation, name) for name in NAMES}, project)
