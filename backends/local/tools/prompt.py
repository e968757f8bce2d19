"""Tools in a prompt: offered, called and answered as the model's chat template writes it, else in words of ours.

What a template can do is tried on it. Knows templates and rows of messages; nothing of tokens.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from backends.local.tools.formats import HERMES, CallFormat, find_format
from backends.local.tools.offer import Offer
from prompts.template import free_variables, render
from prompts.tools import offer_tools, tool_response

VARIABLES = ("tools", "xml_tools")  # under which templates look for them; SmolLM3 has the second
NAME, VALUE, RESULT = "probe_name", "probe_value", "probe_result"
SHOWN = "probe_shown"
TOOL = {
    "type": "function",
    "function": {"name": SHOWN, "description": "probe", "parameters": {"type": "object", "properties": {}}},
}
Row = Mapping[str, Any]
Rows = list[dict[str, Any]]


class ToolPrompt(NamedTuple):
    """Rows for the template, and its variable with the tools; `is_arranged`: rows of text, which may be merged."""

    rows: Rows
    variables: dict[str, Any]
    is_arranged: bool = False


class ToolPrompts:
    """Writes rows of messages for one template, which reads `variables` beside them."""

    def __init__(self, template: str, variables: Mapping[str, Any]) -> None:
        self._template, self._variables = template, dict(variables)
        self.format: CallFormat = find_format(template) or HERMES
        self._is_known = find_format(template) is not None

    def write(self, rows: Sequence[Row], offer: Offer | None) -> list[ToolPrompt]:
        """The ways to write these rows with these tools, the template's own first; a template may refuse one."""
        ways = [self._in_words(rows, offer)]
        if self._arguments is not None and (offer is None or self._variable is not None):
            tools = {self._variable: offer.definitions} if offer is not None and self._variable else {}
            ways.insert(0, ToolPrompt([self._own(row, self._arguments) for row in rows], tools))
        return ways

    @cached_property
    def _variable(self) -> str | None:
        """The variable that the template shows tools of; None where it has none, or its format is not known here."""
        if not self._is_known:
            return None
        known = free_variables(self._template)
        found = (name for name in VARIABLES if name in known or f"{name} is not defined" in self._template)
        return next((name for name in found if self._shows(name)), None)

    def _shows(self, variable: str) -> bool:
        return SHOWN in self._try([{"role": "user", "content": "hi"}], {variable: [TOOL]})

    @cached_property
    def _arguments(self) -> str | None:
        """As what the template takes a call's arguments: an object, or text; None where it writes no calls."""
        return next((kind for kind in ("object", "text") if self._is_known and self._writes(kind)), None)

    def _writes(self, kind: str) -> bool:
        call = {
            "id": "probecall",
            "type": "function",
            "function": {"name": NAME, "arguments": {"key": VALUE, "other": True}},
        }
        rows: Rows = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": RESULT, "name": NAME, "tool_call_id": "probecall"},
        ]
        shown = {self._variable: [TOOL]} if self._variable else {}
        text = self._try([self._own(row, kind) for row in rows], shown).replace(" ", "")
        return all(part in text for part in (NAME, RESULT, f'"key":"{VALUE}"', '"other":true'))

    def _try(self, rows: Sequence[Row], variables: Mapping[str, Any] | None = None) -> str:
        """What the template writes; nothing where it refuses."""
        try:
            prompt = render(self._template, rows, (), options=variables, **self._variables)
        except ValueError:
            return ""
        return "".join(segment.text for segment in prompt.segments)

    def _own(self, row: Row, arguments: str) -> dict[str, Any]:
        """A row as the template takes it."""
        own = dict(row)
        if "tool_call_id" in own:
            own["tool_call_id"] = self._fitting_id(own["tool_call_id"])
        if "tool_calls" in own:
            own["tool_calls"] = [self._own_call(call, arguments) for call in own["tool_calls"]]
        return own

    def _own_call(self, call: Row, arguments: str) -> dict[str, Any]:
        function = dict(call["function"])
        if arguments == "text":
            function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
        return {**call, "id": self._fitting_id(call["id"]), "function": function}

    def _fitting_id(self, identity: str) -> str:
        """The id, or another one for it where the format wants them of one length."""
        length = self.format.id_length
        if length is None or (len(identity) == length and identity.isascii() and identity.isalnum()):
            return identity
        return hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:length]

    def _in_words(self, rows: Sequence[Row], offer: Offer | None) -> ToolPrompt:
        """Rows of text alone, the tools in the system's."""
        plain = [self._plain(row) for row in rows]
        if offer is not None:
            example = self.format.forms[0].write([("NAME", '{"ARGUMENT": VALUE}')])
            text = offer_tools(offer.definitions, example)
            if plain and plain[0]["role"] == "system":
                plain[0]["content"] = f"{plain[0]['content']}\n\n{text}"
            else:
                plain.insert(0, {"role": "system", "content": text})
        return ToolPrompt(plain, {}, is_arranged=True)

    def _plain(self, row: Row) -> dict[str, Any]:
        if row["role"] == "tool":
            return {"role": "user", "content": tool_response(row["content"])}
        if "tool_calls" not in row:
            return dict(row)
        functions = [call["function"] for call in row["tool_calls"]]
        calls = [(each["name"], json.dumps(each["arguments"], ensure_ascii=False)) for each in functions]
        text = "\n".join(filter(None, (row["content"], self.format.forms[0].write(calls))))
        return {"role": "assistant", "content": text}
