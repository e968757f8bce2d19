"""The blocks of a message as Anthropic's clients send them: texts, pictures, documents, thoughts, calls and results.

Knows their form; nothing of the chain. What clients keep beside a block for themselves, or for the cache of a server,
may stand there and changes nothing.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.http.open_model import OpenModel

OWN_FIELDS = frozenset({"cache_control", "caller", "id", "signature"})
# Blocks of tools that a server of Anthropic's carries out: nobody here could go on from them.
SERVER_TYPES = (
    *("server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result"),
    *("bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result"),
    *("mcp_tool_use", "mcp_tool_result", "container_upload", "tool_reference"),
)


class Block(OpenModel):
    """What every block may have."""

    def ignored_fields(self) -> Iterator[str]:
        """The fields that do nothing, but for those that clients and caches keep for themselves."""
        return (name for name in super().ignored_fields() if name not in OWN_FIELDS)


class TextBlock(Block):
    """A text; citations of an earlier answer may come back with it."""

    type: Literal["text"]
    text: str
    citations: Any = Field(None, description="those of an earlier answer; no answer depends on them")


class ThinkingBlock(Block):
    """What an assistant thought, as an earlier answer told it."""

    type: Literal["thinking"]
    thinking: str


class RedactedThinkingBlock(Block):
    """What an assistant of another server thought, encrypted: nothing of it is read."""

    type: Literal["redacted_thinking"]
    data: Any = Field(None, description="no answer depends on it")


class ToolUseBlock(Block):
    """A call of a tool by the assistant."""

    type: Literal["tool_use"]
    id: str = Field(min_length=1, max_length=500)
    name: str = Field(min_length=1, max_length=200)
    input: dict[str, Any]


class Base64Source(OpenModel):
    """A file's bytes as base64."""

    type: Literal["base64"]
    media_type: str = Field(max_length=100)
    data: str


class TextSource(OpenModel):
    """A document's text."""

    type: Literal["text"]
    media_type: Literal["text/plain"] = "text/plain"
    data: str


class ContentSource(OpenModel):
    """A document's text in blocks."""

    type: Literal["content"]
    content: str | list[TextBlock]


class FileSource(OpenModel):
    """A file of /v1/files, of which the text is read."""

    type: Literal["file"]
    file_id: str = Field(min_length=1, max_length=64)


class UrlSource(OpenModel):
    """A picture's address, on a host that IMAGE_URLS names."""

    type: Literal["url"]
    url: str = Field(min_length=1)


def _reject_url(source: Any) -> Any:
    """The source itself. Raises PydanticCustomError for one that would have to be fetched."""
    if isinstance(source, dict) and source.get("type") == "url":
        text = "This server fetches no document for a client. Send the bytes as base64."
        raise PydanticCustomError("unsupported_parameter", "{text}", {"text": text})
    return source


DocumentSource = Annotated[
    Annotated[Base64Source | TextSource | ContentSource | FileSource, Field(discriminator="type")],
    BeforeValidator(_reject_url),
]


class ImageBlock(Block):
    """A picture."""

    type: Literal["image"]
    source: Annotated[Base64Source | UrlSource, Field(discriminator="type")]

    @property
    def address(self) -> str:
        """Where it is, or all of it as an address."""
        if isinstance(self.source, UrlSource):
            return self.source.url
        return f"data:{self.source.media_type};base64,{self.source.data}"


class DocumentBlock(Block):
    """A document, of which the text is read."""

    type: Literal["document"]
    source: DocumentSource
    title: str | None = Field(None, max_length=1000)
    context: str | None = None


class SearchResultBlock(Block):
    """What a search of the client's found."""

    type: Literal["search_result"]
    source: str
    title: str
    content: list[TextBlock]


def _reject_server_blocks(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for blocks of tools that nobody here carries out."""
    for block in value if isinstance(value, list) else ():
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in SERVER_TYPES:
            text = f"{kind}: this server carries out no tool for these clients. Leave the block out."
            raise PydanticCustomError("unsupported_parameter", "{text}", {"text": text})
    return value


ResultPart = Annotated[TextBlock | ImageBlock | DocumentBlock | SearchResultBlock, Field(discriminator="type")]
ResultContent = Annotated[str | list[ResultPart], BeforeValidator(_reject_server_blocks)]


class ToolResultBlock(Block):
    """What a tool gave, for the call of this id."""

    type: Literal["tool_result"]
    tool_use_id: str = Field(min_length=1, max_length=500)
    content: ResultContent | None = None
    is_error: bool | None = None


AnyBlock = Annotated[
    TextBlock
    | ImageBlock
    | DocumentBlock
    | SearchResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock,
    Field(discriminator="type"),
]
Content = Annotated[str | list[AnyBlock], BeforeValidator(_reject_server_blocks)]
Readable = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock
