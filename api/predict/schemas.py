"""The requests of `/predict` and `/reset`: JSON, or a form where files or pictures come with a text. Knows no reply."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.datastructures import UploadFile

from api.http import form
from api.http.body import json_body, json_body_schema
from api.http.sampling import SamplingParams
from backends import effort
from conversations.store import MAX_MESSAGE_LENGTH

UPLOADS = ("files", "pictures")  # the fields of a form that hold some
Effort = Literal["usual", effort.Effort]
SESSION = "the session's id; without one the session of the cookie, or a new one"
SESSION_EXAMPLE = "pQ4Xw2mZ0sB7tKcN1yVd9A"


def complete_with(name: str) -> dict[str, JsonValue]:
    """JSON Schema of what does not go together: mode=complete and the field `name`."""
    return {"properties": {"mode": {"const": "complete"}, name: {"type": "string"}}, "required": ["mode", name]}


class PredictRequest(SamplingParams):
    """A text to be answered, or continued."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "not": {"anyOf": [complete_with("session_id"), complete_with("persona"), complete_with("project")]}
        },
    )

    text: str = Field(
        description="what you say, or with mode=complete the text to go on with",
        json_schema_extra={"minLength": 1, "maxLength": MAX_MESSAGE_LENGTH, "pattern": r"\S"},
    )
    session_id: str | None = Field(None, min_length=1, max_length=64, description=SESSION)
    persona: str | None = Field(None, min_length=1, max_length=80, description="who answers in a new session: a slug")
    project: str | None = Field(
        None, min_length=1, max_length=64, description="the project that a new session begins in: an id of /projects"
    )
    mode: Literal["chat", "complete"] | None = Field(
        None, description="chat answers within a session, complete goes on with the text; unset: PREDICT_MODE"
    )
    whole: bool | None = Field(
        None, description="read the session's files whole where they fit, from now on; false: passages of them"
    )
    tools: list[Annotated[str, Field(max_length=200)]] | None = Field(
        None,
        max_length=100,
        description="names of the tools that are on in the session from now on; an empty list: none",
    )
    reasoning_effort: Effort | None = Field(
        None,
        description="how much the model thinks, in the session from now on, where it knows that; none: not at all; "
        "usual: as much as it does by itself",
    )
    reasoning_budget: int | None = Field(
        None, ge=-1, le=2**31 - 1, description="tokens that a model of this machine may think; -1: as many as it likes"
    )
    stream: bool | None = Field(None, description="send the reply as it comes, as server-sent events")
    reply_schema: dict[str, Any] | str | None = Field(
        None, alias="schema", description="a JSON Schema (in a form its text): the reply is JSON that fits it"
    )

    def options(self) -> dict[str, Any]:
        """The options, with the form of the reply, and how much may be thought before it."""
        form = {"type": "json_schema", "json_schema": {"name": "reply", "schema": self.reply_schema}}
        budget = {} if self.reasoning_budget is None else {"reasoning_budget": self.reasoning_budget}
        return {**super().options(), **budget, **({} if self.reply_schema in (None, "") else {"response_format": form})}


@dataclass(frozen=True)
class PredictInput:
    """A request, the files that come with it, and the pictures that the model is shown."""

    request: PredictRequest
    files: Sequence[UploadFile] = ()
    pictures: Sequence[UploadFile] = ()


async def predict_input(request: Request) -> AsyncIterator[PredictInput]:
    """A dependency that reads JSON, or a form with files. Raises ApiError 400 that names the field, 408, 413, 499."""
    if not form.is_multipart(request):
        yield PredictInput(await read_json(request))
        return
    async with form.parse_form(request) as data:
        files, pictures = form.form_files(data, *UPLOADS), form.form_files(data, *UPLOADS[::-1])
        yield PredictInput(form.form_fields(data, PredictRequest), files, pictures)


class ResetRequest(BaseModel):
    """The session to empty."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session_id: str | None = Field(None, min_length=1, max_length=64, description=SESSION)


PREDICT_BODY = json_body_schema(
    PredictRequest,
    text={"text": "Data Science is"},
    session={"text": "And what do you like?", "session_id": SESSION_EXAMPLE, "temperature": 0.7},
    persona={"text": "Who are you?", "persona": "beekeeper"},
    complete={"text": "Once upon a time", "mode": "complete", "max_tokens": 40, "seed": 1},
    schema={
        "text": "Who are you?",
        "schema": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}}, "required": ["name"]},
        "max_tokens": 60,
    },
    streamed={"text": "What do you like?", "stream": True},
)
read_json = json_body(PredictRequest)
FILES = {
    "type": "array",
    "items": form.BINARY_SCHEMA,
    "description": "documents that the session keeps and answers from",
}
FORM = form.form_schema(PredictRequest.model_json_schema(), "files", FILES)
PICTURES = {
    "type": "array",
    "items": form.BINARY_SCHEMA,
    "description": "pictures of this message, for a model that sees: PNG, JPEG or WebP",
}
FORM[form.MULTIPART]["schema"]["properties"]["pictures"] = PICTURES
PREDICT_BODY["requestBody"]["content"].update(FORM)
RESET_BODY = json_body_schema(ResetRequest, cookie={}, session={"session_id": SESSION_EXAMPLE})
RESET_BODY["requestBody"]["required"] = False
