"""What a server's tool answered, as text for a model: pictures and files are only named. Knows MCP's kinds."""

import json
from collections.abc import Callable
from typing import Any

from tools.call import ToolError, one_line


def result_text(name: str, result: Any) -> str:
    """The text of a CallToolResult. Raises ToolError with the tool's own words where it says that it failed."""
    text = "\n\n".join(filter(None, map(content_text, result.content)))
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    if result.is_error:
        raise ToolError(f"{name} failed: {one_line(text) or 'the server does not say why'}")
    return text or "The tool answered with nothing."


def content_text(content: Any) -> str:
    """One block of content as text."""
    return KINDS[content.type](content) if content.type in KINDS else f"[{content.type}]"


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"


def _resource(content: Any) -> str:
    resource = content.resource
    if hasattr(resource, "text"):
        return f"[{resource.uri}]\n{resource.text}"
    return f"[file {resource.uri}, {resource.mime_type or 'of an unknown kind'}, {_size(resource.blob)}]"


KINDS: dict[str, Callable[[Any], str]] = {
    "text": lambda content: str(content.text),
    "image": lambda content: f"[picture, {content.mime_type}, {_size(content.data)}]",
    "audio": lambda content: f"[sound, {content.mime_type}, {_size(content.data)}]",
    "resource": _resource,
    "resource_link": lambda content: f"[link to {content.name}: {content.uri}]",
}
