"""`POST /api/generate`: a question answered, or a text continued, whole or line by line."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Request
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import Field

import backends
from api.http.answers import Answers
from api.http.body import json_body_schema
from api.http.open_model import request_body
from api.http.pictures import Pictures, show_pictures
from api.http.refused import Refused, Table
from api.http.state import StateDep
from api.ollama import names
from api.ollama.answer import Answer, Fields, loaded, ndjson_response, stream, whole
from api.ollama.chat import FAILURES
from api.ollama.picture import addresses, content_of
from api.ollama.request import TABLE, TextRequest

router = APIRouter(prefix="/api", tags=["Ollama"])


class GenerateRequest(TextRequest):
    """A question, or with `raw` a text to continue without a template."""

    table: ClassVar[Table] = {**TABLE, "context": Refused(), "suffix": Refused(), "template": Refused()}
    documented: ClassVar[Table] = table

    prompt: str | None = Field(None, description="the question; none: the model is loaded")
    system: str | None = Field(None, description="what the model is told first")
    raw: bool | None = Field(None, description="true: the prompt goes on as it stands, without a template")
    images: list[str] | None = Field(None, description="pictures to the question, each as base64")

    def messages(self, pictures: Pictures) -> list[BaseMessage]:
        """The messages for the chain, with these pictures."""
        system = [SystemMessage(self.system)] if self.system and not self.raw else []
        return [*system, HumanMessage(content_of(self.prompt or "", self.images, pictures))]


class GenerateAnswer(Answer):
    """The answer, or a line of it."""

    response: str
    thinking: str | None = Field(None, exclude_if=lambda value: value is None)


def generate_fields(text: str, thinking: str, calls: Sequence[Fields]) -> Fields:
    """What a line says; nothing is called here."""
    return {"response": text, **({"thinking": thinking} if thinking else {})}


EXAMPLES: Fields = {
    "whole": {"model": "default", "prompt": "What do you like?", "stream": False, "options": {"num_predict": 40}},
    "raw": {"model": "default", "prompt": "Once upon a time", "raw": True, "options": {"num_predict": 20, "seed": 1}},
}
LINE: Fields = {
    "model": "default",
    "created_at": "2026-11-30T20:15:00.000000Z",
    "done": False,
    **generate_fields("I", "", ()),
}


@router.post(
    "/generate",
    response_model=GenerateAnswer,
    responses={**FAILURES, **ndjson_response(GenerateAnswer, LINE)},
    openapi_extra=json_body_schema(GenerateRequest, **EXAMPLES),
)
async def generate(
    state: StateDep,
    request: Request,
    body: Annotated[GenerateRequest, Depends(request_body(GenerateRequest, pictures=True))],
) -> Any:
    """The answer to one question; without one the model is loaded."""
    backend = await names.resolve(state, body.model)
    if not body.prompt:
        (await backends.lease(backend, state.settings)).release(was_used=False)
        return loaded(body.model, generate_fields)
    pictures = await show_pictures(state, backend, addresses([body.images], state.picture_limits))
    answers = Answers.start(
        state, backend, [body.messages(pictures)], body.options(), raw=bool(body.raw), truncate=body.truncates
    )
    if body.is_streamed:
        await answers.job.wait_first(request)
        return stream(answers, body.model, generate_fields)
    await answers.job.wait(request)
    return whole(answers, body.model, generate_fields)
