"""The answers with text, whole and line by line: what was written, then counts and times in nanoseconds.

Knows lines and figures; a route says what a piece of text looks like in its own.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages.tool import ToolCallChunk
from pydantic import BaseModel, Field

from api.http.answers import Answers
from api.http.calls import parse_arguments
from api.http.calls import whole as whole_calls
from api.http.errors import ApiError
from api.http.sse import EventStream, encode, merge_pieces
from api.ollama.errors import error_body
from conversations.replies import Reply, ThinkingPart

NDJSON = "application/x-ndjson"
Fields = dict[str, Any]
Shape = Callable[[str, str, Sequence[Fields]], Fields]  # of a text, what was thought, and calls


class Figures(BaseModel):
    """Counts of tokens, and times in nanoseconds; they stand in a last line alone."""

    done_reason: str | None = Field(None, exclude_if=lambda value: value is None, description="stop, length or load")
    total_duration: int | None = Field(None, exclude_if=lambda value: value is None)
    load_duration: int | None = Field(None, exclude_if=lambda value: value is None)
    prompt_eval_count: int | None = Field(None, exclude_if=lambda value: value is None)
    prompt_eval_duration: int | None = Field(None, exclude_if=lambda value: value is None)
    eval_count: int | None = Field(None, exclude_if=lambda value: value is None)
    eval_duration: int | None = Field(None, exclude_if=lambda value: value is None)


class Answer(Figures):
    """What every line has: `model` is the name that was sent."""

    model: str
    created_at: str
    done: bool


def now() -> str:
    """The time as lines have it."""
    return format_time(datetime.now(UTC))


def format_time(time: datetime) -> str:
    """A time of UTC as Ollama writes it."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def nanoseconds(seconds: float) -> int:
    """A time in whole nanoseconds."""
    return max(0, round(seconds * 1e9))


def figures(answers: Answers) -> Fields:
    """The end of an answer, why it came and what it took."""
    reply = answers.replies[0]
    report, thought = reply.report, (reply.report.thinking_ms or 0) / 1000
    ended = report.ended or 0.0
    begun = min(report.attempted or 0.0, ended)
    first = max(begun, (ended if report.first_token is None else report.first_token) - thought)
    return {
        "done": True,
        "done_reason": "length" if report.stop_reason in ("length", "max_tokens") else "stop",
        "total_duration": nanoseconds(ended),
        "load_duration": nanoseconds(begun),
        "prompt_eval_count": answers.prompt_tokens,
        "prompt_eval_duration": nanoseconds(first - begun),
        "eval_count": answers.completion_tokens,
        "eval_duration": nanoseconds(ended - first),
    }


def calls_of(pieces: Sequence[ToolCallChunk]) -> list[Fields]:
    """The calls that pieces make, with arguments as an object; what is no object is none of Ollama's."""
    return [
        {"id": call["id"], "function": {"name": call["name"], "arguments": parse_arguments(call["args"] or "") or {}}}
        for call in whole_calls(pieces)
    ]


def whole(answers: Answers, model: str, shape: Shape) -> Fields:
    """The answer of a reply that has ended."""
    reply: Reply = answers.replies[0]
    told = shape(reply.text, reply.report.thinking.text, calls_of(reply.calls))
    return {"model": model, "created_at": now(), **told, **figures(answers)}


def stream(answers: Answers, model: str, shape: Shape) -> EventStream:
    """The answer line by line; an empty piece tells proxies that the connection lives."""

    def line(fields: Fields) -> str:
        return encode({"model": model, "created_at": now(), "done": False, **fields}) + "\n"

    async def lines() -> AsyncIterator[str]:
        calls: list[ToolCallChunk] = []
        async for _, piece in merge_pieces(answers.job):
            if isinstance(piece, list):
                calls += piece
            elif isinstance(piece, ThinkingPart):
                yield line(shape("", piece.text, ()))
            elif piece is not None:
                yield line(shape(piece, "", ()))
        if calls:
            yield line(shape("", "", calls_of(calls)))
        yield line({**shape("", "", ()), **figures(answers)})

    return EventStream(_with_error_line(lines()), answers.job, lambda: line(shape("", "", ())), NDJSON)


async def _with_error_line(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines; where they raise ApiError, the last one holds it."""
    try:
        async for line in lines:
            yield line
    except ApiError as problem:
        yield encode(error_body(problem)) + "\n"


def loaded(model: str, shape: Shape) -> Fields:
    """The answer to a request that has the model loaded, and no more."""
    return {"model": model, "created_at": now(), **shape("", "", ()), "done": True, "done_reason": "load"}


def ndjson_response(model: type[BaseModel], *examples: Fields) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` for lines of JSON, each of this model."""
    example = "".join(encode(each) + "\n" for each in examples)
    text = {"schema": {"type": "string", "description": f"lines of {model.__name__}"}, "example": example}
    return {200: {"content": {NDJSON: text}}}
