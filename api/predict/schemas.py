"""What `/predict` and `/reset` are sent: JSON, or a form where files come with a text. Knows no reply."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.datastructures import UploadFile

from api.http import form
from api.http.body import body, documented
from api.http.sampling import Sampling
from conversations.store import text

SESSION = "the session's id; without one the session of the cookie, or a new one"
SHOWN = "pQ4Xw2mZ0sB7tKcN1yVd9A"


def beside(name: str) -> dict[str, JsonValue]:
    """What does not go together, as JSON Schema says it: mode=complete and this field."""
    return {"properties": {"mode": {"const": "complete"}, name: {"type": "string"}}, "required": ["mode", name]}


class Predict(Sampling):
    """A text to be answered, or continued."""

    model_config = ConfigDict(
        strict=True, json_schema_extra={"not": {"anyOf": [beside("session_id"), beside("persona")]}}
    )

    text: str = Field(
        description="what you say, or with mode=complete the text to go on with",
        json_schema_extra={"minLength": 1, "maxLength": text.LONGEST, "pattern": r"\S"},
    )
    session_id: str | None = Field(None, min_length=1, max_length=64, description=SESSION)
    persona: str | None = Field(None, min_length=1, max_length=80, description="who answers in a new session: a slug")
    mode: Literal["chat", "complete"] | None = Field(
        None, description="chat answers within a session, complete goes on with the text; unset: PREDICT_MODE"
    )


@dataclass(frozen=True)
class Asked:
    """What is asked, and the files that come with it."""

    said: Predict
    files: Sequence[UploadFile] = ()


async def asked(request: Request) -> AsyncIterator[Asked]:
    """JSON, or a form with files. Raises Problem 400 that names the field."""
    if not form.sent(request):
        yield Asked(await PLAIN(request))
        return
    async with form.form(request) as found:
        files = form.files(found, "files")
        yield Asked(form.fields(found, Predict), files)


class Reset(BaseModel):
    """Which session."""

    model_config = ConfigDict(extra="forbid", strict=True)

    session_id: str | None = Field(None, min_length=1, max_length=64, description=SESSION)


ASKED = documented(
    Predict,
    text={"text": "Data Science is"},
    session={"text": "And what do you like?", "session_id": SHOWN, "temperature": 0.7},
    persona={"text": "Who are you?", "persona": "beekeeper"},
    complete={"text": "Once upon a time", "mode": "complete", "max_tokens": 40, "seed": 1},
)
PLAIN = body(Predict)
FILES = {"type": "array", "items": form.BINARY, "description": "documents that the session keeps and answers from"}
FORM = form.documented(Predict.model_json_schema(), "files", FILES)
ASKED["requestBody"]["content"].update(FORM)
NAMED = documented(Reset, cookie={}, session={"session_id": SHOWN})
NAMED["requestBody"]["required"] = False
