"""The tools of a chat as Ollama's own Python client describes functions, and as a schema has them.

Knows no route, and nothing of what a tool does.
"""

from typing import Any

PROPERTIES = ("function", "parameters", "properties")


def with_listed_types(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools, with the type "string, integer" of a parameter as ["integer", "string"].

    So the client writes a union, which is no type of JSON Schema, and in an order that differs from process to process:
    sorted, one tool makes one prompt.
    """
    return [_within(tool, PROPERTIES) for tool in tools]


def _within(value: Any, path: tuple[str, ...]) -> Any:
    """The value, with the parameters listed that stand at the end of the path, if it leads anywhere."""
    if not isinstance(value, dict):
        return value
    if not path:
        return {name: _listed(schema) for name, schema in value.items()}
    return {name: _within(inner, path[1:]) if name == path[0] else inner for name, inner in value.items()}


def _listed(schema: Any) -> Any:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(kind, str) or ", " not in kind:
        return schema
    return {**schema, "type": sorted(kind.split(", "))}
