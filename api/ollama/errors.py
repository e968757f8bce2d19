"""A failure as Ollama's clients read it: one text. Knows the form alone."""

from functools import partial
from typing import Any

from pydantic import BaseModel

from api.http import errors
from api.http.errors import ApiError

PATH = "/api/"


class OllamaError(BaseModel):
    """The body of every answer that is no success."""

    error: str


def error_body(error: ApiError) -> dict[str, Any]:
    """The JSON of a failure."""
    return {"error": error.message}


error_responses = partial(errors.error_responses, model=OllamaError)
