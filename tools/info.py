"""A tool as people see it, and what one is given of its conversation. Knows no tool and no store."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from langchain_core.documents import Document

OWN = "own"  # the origin of tools that are not a server's
SearchDocuments = Callable[[str], Awaitable[Sequence[Document]]]


@dataclass(frozen=True)
class ToolInfo:
    """A tool that may be switched on.

    `origin` is "own", or the name of the MCP server. `needs_approval`: it has effects, or what it is given leaves this
    machine. `availability_error` says in one line why it cannot be used now; None where it can.
    """

    name: str
    title: str
    description: str
    origin: str
    needs_approval: bool
    availability_error: str | None = None


@dataclass(frozen=True)
class ToolContext:
    """What tools get of the conversation they are called in.

    `search_documents` finds passages in its documents, best first; None where it has none. `zone` is the IANA name of
    the time zone of whoever asks; None where nobody knows.
    """

    search_documents: SearchDocuments | None = None
    zone: str | None = None
