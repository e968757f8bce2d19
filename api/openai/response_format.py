"""The fields by which clients ask for a reply of a form: OpenAI's, vLLM's older and newer ones, llama-server's.

Knows names; what a form may be, backends say (`backends/local/response_format.py`).
"""

from typing import Any

from pydantic import BaseModel, Field

# What they are called elsewhere, and what vLLM calls the same today.
SYNONYMS = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "json_schema": "json",
    "regex": "regex",
    "grammar": "grammar",
    "ebnf": "grammar",
}


class FormatParams(BaseModel):
    """A reply's form; at most one may be asked for."""

    response_format: dict[str, Any] | None = Field(
        None, description="json_object, or json_schema with a schema that the reply is held to"
    )
    structured_outputs: dict[str, Any] | None = Field(
        None, description="as vLLM has it: one of json, json_object, regex, choice, grammar (Lark or GBNF)"
    )
    guided_json: dict[str, Any] | str | None = Field(None, description="the same as structured_outputs.json")
    guided_regex: str | None = Field(None, description="the same as structured_outputs.regex")
    guided_choice: list[str] | None = Field(None, description="the same as structured_outputs.choice")
    guided_grammar: str | None = Field(None, description="the same as structured_outputs.grammar")
    json_schema: dict[str, Any] | None = Field(None, description="as llama-server has it: structured_outputs.json")
    regex: str | None = Field(None, description="as SGLang has it: structured_outputs.regex")
    grammar: str | None = Field(None, description="as llama-server has it: structured_outputs.grammar")
    ebnf: str | None = Field(None, description="as SGLang has it: structured_outputs.grammar")

    def format_options(self) -> dict[str, Any]:
        """The chain's options for it: `response_format` and `structured_outputs`, those that were given."""
        given = dict(self.structured_outputs or {})
        given |= {name: value for old, name in SYNONYMS.items() if (value := getattr(self, old)) is not None}
        options = {"response_format": self.response_format, "structured_outputs": given}
        return {name: value for name, value in options.items() if value}
