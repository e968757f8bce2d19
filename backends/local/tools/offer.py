"""The tools that one call offers a model, whether it has to take one, and how many at once.

Knows the options by which clients offer them (OpenAI's `tools`, `tool_choice`, `parallel_tool_calls`); nothing of how a
model writes a call.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from backends.local.response_format import LONGEST, closed
from backends.local.sampling import UnsupportedOptionError

OPTIONS = ("tools", "tool_choice", "parallel_tool_calls")
Choice = Literal["auto", "required"]
NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
WORDS = {"auto": "auto", "none": "none", "required": "required", "any": "required", True: "required", False: "none"}
MOST_TOOLS = 512
MOST_CALLS = 16  # of one reply: a small model would call for ever
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}


class Tool(NamedTuple):
    """One tool: its definition as OpenAI has it, for the prompt, and the schema of its arguments as JSON.

    `strict`: what of the schema cannot be held to is refused, and not left to the model.
    """

    name: str
    definition: Mapping[str, Any]
    arguments: str
    strict: bool = False

    @property
    def option(self) -> str:
        """Where the schema stands in a call's options, for people."""
        return f"tools.{self.name}.parameters"


class Offer(NamedTuple):
    """Tools in the prompt, those of them that may be called, whether one has to be, and how many at most."""

    tools: tuple[Tool, ...]
    callable: tuple[Tool, ...]
    choice: Choice = "auto"
    most: int = MOST_CALLS

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """The tools as a prompt shows them."""
        return [dict(tool.definition) for tool in self.tools]


def take(options: dict[str, Any]) -> Offer | None:
    """The tools that a call's options offer, taken out of them; None where none may be called.

    Raises UnsupportedOptionError for what is no tool, a name that is there twice, and a choice that names none.
    """
    given, choice, parallel = (options.pop(name, None) for name in OPTIONS)
    tools = _read_tools(given)
    mode, names, at_most_one = _read_choice(choice)
    if not tools and (mode == "required" or names is not None):
        raise UnsupportedOptionError("tool_choice", f"tool_choice={_shown(choice)}: there are no tools. Send some.")
    known = {tool.name: tool for tool in tools}
    if unknown := [name for name in names or () if name not in known]:
        raise UnsupportedOptionError(
            "tool_choice", f"tool_choice: there is no tool {_shown(unknown[0])}; there are {', '.join(known)[:300]}."
        )
    if not tools or mode == "none":
        return None
    may_call = tools if names is None else tuple(known[name] for name in names)
    most = 1 if parallel is False or at_most_one else MOST_CALLS
    return Offer(tools, may_call, "required" if mode == "required" else "auto", most)


def _read_tools(given: Any) -> tuple[Tool, ...]:
    if given is None:
        return ()
    if isinstance(given, Mapping | str) or not isinstance(given, Sequence) or len(given) > MOST_TOOLS:
        raise UnsupportedOptionError("tools", f"tools: a list of at most {MOST_TOOLS} tools is wanted.")
    tools = tuple(_read_tool(tool) for tool in given)
    names = [tool.name for tool in tools]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UnsupportedOptionError("tools", f"tools: there are two of the name {twice}. Rename one.")
    return tools


def _read_tool(given: Any) -> Tool:
    """One of OpenAI's: `{"type": "function", "function": {"name", "description", "parameters", "strict"}}`."""
    function = given.get("function") if isinstance(given, Mapping) else None
    if not isinstance(function, Mapping) or given.get("type", "function") != "function":
        raise UnsupportedOptionError("tools", f"tools: {_shown(given)} is no function; functions alone are called.")
    name = function.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UnsupportedOptionError(
            "tools", f"tools: {_shown(name)} is no name: letters, digits and _.:/- it has, 128 at most."
        )
    schema = function.get("parameters") or NO_ARGUMENTS
    if not isinstance(schema, Mapping):
        raise UnsupportedOptionError("tools", f"tools.{name}.parameters: {_shown(schema)} is no JSON Schema.")
    text = json.dumps(closed({"type": "object", **schema}), ensure_ascii=False)
    if len(text) > LONGEST:
        raise UnsupportedOptionError(
            "tools", f"tools.{name}.parameters: {len(text):,} characters, at most {LONGEST:,} are taken."
        )
    definition = {key: value for key, value in function.items() if key != "strict" and value is not None}
    shown = {"type": "function", "function": {**definition, "parameters": dict(schema)}}
    return Tool(name, shown, text, function.get("strict") is True)


def _read_choice(choice: Any) -> tuple[str, list[Any] | None, bool]:
    """Whether a tool is called, which ones may be where not all, and whether at most one."""
    if choice is None or isinstance(choice, str | bool):
        known = WORDS.get("auto" if choice is None else choice)
        return (known, None, False) if known else ("required", [choice], True)
    allowed = choice.get("allowed_tools", choice) if isinstance(choice, Mapping) else {}
    if isinstance(allowed, Mapping) and isinstance(allowed.get("tools"), list):
        return str(WORDS.get(allowed.get("mode", "auto"), "auto")), [_name(each) for each in allowed["tools"]], False
    name = _name(choice)
    if name is None:
        raise UnsupportedOptionError(
            "tool_choice", f"tool_choice: auto, none, required or a function is wanted, not {_shown(choice)}."
        )
    return "required", [name], True


def _name(choice: Any) -> Any:
    """The name in `{"type": "function", "function": {"name"}}`, or in the flat form of responses."""
    if not isinstance(choice, Mapping):
        return None
    function = choice.get("function", choice)
    return function.get("name") if isinstance(function, Mapping) else None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"
