"""`POST /v1/completions`: a text gone on with, without template, whole or as it comes."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from api.http.body import body
from api.http.body import documented as shown
from api.http.errors import documented
from api.http.jobs import Stream
from api.http.state import Here
from api.openai import models
from api.openai.choices import Finish, Usage, begin, finish
from api.openai.chunks import chunks
from api.openai.request import Many, Off, Only, Unset
from api.openai.sse import streamed, told

router = APIRouter(prefix="/v1", tags=["OpenAI"])
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=64)]


def _words(value: Any) -> Any:
    """Raises PydanticCustomError, in words for people, for tokens."""
    if isinstance(value, list) and any(isinstance(part, int | list) for part in value):
        raise PydanticCustomError("unsupported_parameter", "Lists of tokens are not read here; send text.")
    return value


class Continue(Many):
    """Texts to go on with."""

    prompt: Annotated[Text | Texts, BeforeValidator(_words)] = Field(
        description="a text or several; lists of tokens are not read"
    )

    best_of: Annotated[Any, Only((1,))] = None
    echo: Off = None
    logprobs: Unset = None
    suffix: Unset = None

    @property
    def prompts(self) -> list[str]:
        """All of them."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class TextChoice(BaseModel):
    """One of the continuations; `index` counts through those of the first prompt, then of the next."""

    index: int
    text: str
    logprobs: None = None
    finish_reason: Finish


class TextCompletion(BaseModel):
    """The continuations; `model` is the name asked for, and `system_fingerprint` tells the backend behind it."""

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
    responses={**documented(400, 404, 408, 413, 500, 502, 503, 504), **streamed("text_completion")},
    openapi_extra=shown(Continue, **EXAMPLES),
)
async def completions(here: Here, request: Request, order: Annotated[Continue, Depends(body(Continue))]) -> Any:
    """What follows a text."""
    backend = await models.find(here, order.model)
    prompts = [[HumanMessage(text)] for text in order.prompts]
    choices = begin(here, backend, prompts, order, order.n or 1, raw=True)
    if order.stream:
        await choices.work.begun(request)
        top = {**choices.head("cmpl", order), "object": "text_completion"}
        return Stream(told(chunks(order, choices, top, held)), choices.work)
    await choices.work.over(request)
    texts = [
        TextChoice(index=number, text=reply.text, finish_reason=finish(reply))
        for number, reply in enumerate(choices.replies)
    ]
    return TextCompletion(**choices.head("cmpl", order), choices=texts, usage=choices.usage())


def held(text: str | None) -> dict[str, Any]:
    """What a chunk holds of a text."""
    return {"text": text or ""}
