"""`POST /v1/completions`: a text continued without a chat template, whole or as it comes."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.http.body import json_body_schema
from api.http.models import resolve_model
from api.http.open_model import request_body
from api.http.sse import EventStream, Piece, with_error_event
from api.http.state import StateDep
from api.openai.choices import Choices, FinishReason, Usage, finish_reason
from api.openai.chunks import completion_chunks
from api.openai.request import MultiChoiceRequest, text_responses

router = APIRouter(prefix="/v1", tags=["OpenAI"])
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=64)]


def _reject_tokens(value: Any) -> Any:
    """The value itself. Raises PydanticCustomError for lists of tokens."""
    if isinstance(value, list) and any(isinstance(part, int | list) for part in value):
        raise PydanticCustomError("unsupported_parameter", "Lists of tokens are not read here; send text.")
    return value


class TextCompletionRequest(MultiChoiceRequest):
    """A request for continuations of texts."""

    prompt: Annotated[Text | Texts, BeforeValidator(_reject_tokens)] = Field(
        description="a text or several; lists of tokens are not read"
    )

    @property
    def prompts(self) -> list[str]:
        """The texts, also where it is one."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class TextChoice(BaseModel):
    """One of the continuations; `index` counts through those of the first prompt, then of the next."""

    index: int
    text: str
    logprobs: None = None
    finish_reason: FinishReason


class TextCompletion(BaseModel):
    """The continuations; `model` is the name that was sent, and `system_fingerprint` names the backend behind it."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage
    system_fingerprint: str


EXAMPLES = {
    "whole": {"model": "default", "prompt": "Data Science is", "max_tokens": 40},
    "streamed": {"model": "default", "prompt": ["Once upon a time"], "stream": True, "n": 2, "seed": 1},
}


@router.post(
    "/completions",
    response_model=TextCompletion,
    responses=text_responses('{"object":"text_completion", …}'),
    openapi_extra=json_body_schema(TextCompletionRequest, **EXAMPLES),
)
async def completions(
    state: StateDep,
    request: Request,
    body: Annotated[TextCompletionRequest, Depends(request_body(TextCompletionRequest))],
) -> Any:
    """The continuations of one text or several."""
    backend = await resolve_model(state, body.model)
    prompts = [[HumanMessage(text)] for text in body.prompts]
    choices = Choices.start(state, backend, prompts, body.options(), body.n or 1, raw=True)
    if body.stream:
        await choices.job.wait_first(request)
        envelope = {**choices.envelope("cmpl", body), "object": "text_completion"}
        return EventStream(with_error_event(completion_chunks(body, choices, envelope, TextWriter())), choices.job)
    await choices.job.wait(request)
    texts = [
        TextChoice(index=number, text=reply.text, finish_reason=finish_reason(reply))
        for number, reply in enumerate(choices.replies)
    ]
    return TextCompletion(**choices.envelope("cmpl", body), choices=texts, usage=choices.usage())


class TextWriter:
    """The fields of continuations: raw text calls nothing, and thinks nothing."""

    def render(self, number: int, piece: Piece) -> dict[str, Any]:
        """A choice's fields in a chunk."""
        return {"text": piece if isinstance(piece, str) else ""}

    def offset(self, number: int) -> int:
        """0: nothing stands before it."""
        return 0
