"""What a model thought, in a chat completion: where clients want it, by the fields that servers have for that.

Knows fields and pieces; no route. How much a model thinks, it says by the names that the chain has.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, Field

from api.http.calls import joined
from api.http.open_model import OpenModel
from api.http.sse import Piece
from api.openai.request import NO_LIMIT
from api.openai.tool_calls import call_delta
from backends import effort
from conversations.replies import ThinkingPart

OPENING, ENDING = "<think>\n", "\n</think>\n\n"  # in the text, whatever the marks of the model itself are

# llama-server's names, and behind them Groq's.
Format = Literal["auto", "deepseek", "deepseek-legacy", "none", "parsed", "raw", "hidden"]


class Style(NamedTuple):
    """Where it stands: in a field of its own, in the text before the answer, in both, or nowhere."""

    apart: bool = True
    inline: bool = False


APART, INLINE, BOTH, HIDDEN = Style(), Style(apart=False, inline=True), Style(inline=True), Style(apart=False)
STYLES: dict[Format, Style] = {
    "auto": APART,
    "deepseek": APART,
    "parsed": APART,
    "none": INLINE,
    "raw": INLINE,
    "deepseek-legacy": BOTH,
    "hidden": HIDDEN,
}


Budget = Annotated[int, Field(ge=NO_LIMIT, lt=2**31)]


class ReasoningObject(OpenModel):
    """Thinking as OpenRouter's clients ask for it."""

    effort: str | None = Field(None, max_length=20)
    max_tokens: Budget | None = None
    enabled: bool | None = None
    exclude: bool | None = Field(None, description="true: the model thinks, and the answer does not tell it")


class ThinkingObject(OpenModel):
    """Thinking as DeepSeek's and Zhipu's clients switch it."""

    type: Literal["enabled", "disabled", "adaptive", "auto"]
    budget_tokens: Budget | None = None


def _effort(value: bool | str | None) -> str | None:
    """The effort of a switch, which may name one; what is left out asks for nothing."""
    if isinstance(value, bool):
        return effort.ON if value else effort.OFF
    return value


Switch = Annotated[bool | Annotated[str, Field(max_length=20)], AfterValidator(_effort)]


class ThinkingParams(BaseModel):
    """How much a model thinks before it answers, and where the answer tells it."""

    reasoning_effort: str | None = Field(
        None, max_length=20, description="how much a model thinks before it answers; one that does not takes none"
    )
    reasoning: ReasoningObject | None = Field(None, description="the same as reasoning_effort, and exclude")
    enable_thinking: Switch | None = Field(None, description="the same as reasoning_effort: a switch, or how much")
    think: Switch | None = Field(None, description="the same, as Ollama has it")
    thinking: Switch | ThinkingObject | None = Field(None, description="the same, as DeepSeek has it")
    reasoning_budget: Budget | None = Field(
        None, description="tokens that a model of this machine may think, then it answers; -1 for as many as it likes"
    )
    thinking_token_budget: Budget | None = Field(None, description="the same, as vLLM has it")
    thinking_budget_tokens: Budget | None = Field(None, description="the same, as llama-server has it")
    thinking_budget: Budget | None = Field(None, description="the same, as Qwen's clients have it")
    reasoning_format: Format | None = Field(
        None,
        description="as llama-server has it: none writes it into the text, between <think> and </think>; "
        "deepseek-legacy writes it there too",
    )
    include_reasoning: bool | None = Field(None, description="as vLLM has it: false leaves it out of the answer")
    separate_reasoning: bool | None = Field(None, description="as SGLang has it: false writes it into the text")

    @property
    def effort(self) -> str | None:
        """How much is to be thought, by the first of the fields that says it; None where the model decides."""
        told = (self.reasoning_effort, self._of_objects(), self.enable_thinking, self.think)
        return next((str(each) for each in told if each is not None), None)

    @property
    def budget(self) -> int | None:
        """How many tokens may be thought, by the first of the fields that says it; None for as many as it likes."""
        objects = (getattr(self.reasoning, "max_tokens", None), getattr(self.thinking, "budget_tokens", None))
        fields = (self.reasoning_budget, self.thinking_token_budget, self.thinking_budget_tokens, self.thinking_budget)
        told: int = next((each for each in (*fields, *objects) if each is not None), NO_LIMIT)
        return None if told == NO_LIMIT else told

    def thinking_options(self) -> dict[str, Any]:
        """The chain's options: those that were given."""
        given = {"reasoning_effort": self.effort, "reasoning_budget": self.budget}
        return {name: value for name, value in given.items() if value is not None}

    def _of_objects(self) -> str | None:
        if self.reasoning is not None and (found := self.reasoning.effort or _effort(self.reasoning.enabled)):
            return found
        if isinstance(self.thinking, ThinkingObject):
            return {"enabled": effort.ON, "disabled": effort.OFF}.get(self.thinking.type)
        return None if self.thinking is None else str(self.thinking)

    @property
    def style(self) -> Style:
        """Where the answer tells it."""
        if self.include_reasoning is False or (self.reasoning is not None and self.reasoning.exclude):
            return HIDDEN
        if self.reasoning_format is not None:
            return STYLES[self.reasoning_format]
        return INLINE if self.separate_reasoning is False else APART


def inline_text(thinking: str, text: str, has_ended: bool) -> str:
    """The text with what was thought before it; `has_ended`: the reply did not end within it."""
    return f"{OPENING}{thinking}{ENDING if has_ended else ''}{text}" if thinking else text


class DeltaWriter:
    """The deltas of the replies to one request, in a style; replies are known by their number."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._written: dict[int, int] = {}  # characters of thinking in a reply's text
        self._open: set[int] = set()  # replies whose text is within it

    def render(self, number: int, piece: Piece) -> dict[str, Any] | None:
        """A choice's fields in a chunk, for None those of its last one; None where nothing is told of a piece."""
        if isinstance(piece, ThinkingPart):
            return self._thought(number, piece.text)
        delta: dict[str, Any] = {}
        if piece and number in self._open:
            self._open.discard(number)
            delta["content"] = self._count(number, ENDING)
        if isinstance(piece, list):
            delta["tool_calls"] = [call_delta(each) for each in joined(piece)]
        elif piece is not None:
            delta["content"] = f"{delta.get('content', '')}{piece}"
        return {"delta": delta}

    def offset(self, number: int) -> int:
        """How many characters stand in a reply's text before its answer."""
        return self._written.get(number, 0)

    def _thought(self, number: int, text: str) -> dict[str, Any] | None:
        delta = {"reasoning_content": text} if self._style.apart else {}
        if self._style.inline:
            delta["content"] = self._count(number, text if number in self._open else f"{OPENING}{text}")
            self._open.add(number)
        return {"delta": delta} if delta else None

    def _count(self, number: int, text: str) -> str:
        self._written[number] = self.offset(number) + len(text)
        return text
