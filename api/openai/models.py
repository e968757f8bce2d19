"""`GET /v1/models`: the names that clients may send, and what they stand for. Asks no server and loads nothing."""

import time
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, JsonValue

import backends
from api.http.errors import error_responses
from api.http.models import ready_models, resolve_model
from api.http.state import AppState, StateDep
from chains import window

router = APIRouter(prefix="/v1", tags=["OpenAI"])
STARTED = int(time.time())
EXAMPLE: dict[str, JsonValue] = {
    "id": "default",
    "object": "model",
    "created": 1795273831,
    "owned_by": "llamacpp",
    "max_model_len": 1024,
    "type": "model",
    "display_name": "default",
    "created_at": "2026-11-21T16:57:11+00:00",
    "architecture": {"input_modalities": ["text"]},
}


class Architecture(BaseModel):
    """What a model reads."""

    input_modalities: list[Literal["text", "image"]]


class Model(BaseModel):
    """A name; `owned_by` is the backend behind it, and `max_model_len` its window in tokens where that is known.

    `type`, `display_name` and `created_at` are for Anthropic's clients, as are `has_more` and the ids of the list.
    `architecture` says what it reads, as OpenRouter has it, where that is known.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int | None = None
    type: Literal["model"] = "model"
    display_name: str
    created_at: str
    architecture: Architecture | None = Field(None, exclude_if=lambda value: value is None)


class ModelList(BaseModel):
    """Every name that a request may have in `model` now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"object": "list", "data": [EXAMPLE], "has_more": False, "first_id": "default", "last_id": "default"}
            ]
        }
    )

    object: Literal["list"] = "list"
    data: list[Model]
    has_more: Literal[False] = False
    first_id: str | None
    last_id: str | None


@router.get("/models")
def models(state: StateDep) -> ModelList:
    """The ready backends, `default`, and the names in API_MODELS: of models on this machine, too."""
    data = [_to_model(name, backend, state) for name, backend in ready_models(state).items()]
    return ModelList(data=data, first_id=data[0].id if data else None, last_id=data[-1].id if data else None)


@router.get("/models/{model:path}", responses=error_responses(404, 503))
async def model(state: StateDep, model: str) -> Model:
    """One of these names. 404 for any other."""
    return _to_model(model, await resolve_model(state, model), state)


def _to_model(name: str, backend: str | None, state: AppState) -> Model:
    loaded = backends.loaded_model(backend or "")
    return Model(
        id=name,
        created=STARTED,
        owned_by=backend or "",
        max_model_len=None if loaded is None else window.size(loaded),
        display_name=name,
        created_at=datetime.fromtimestamp(STARTED, UTC).isoformat(),
        architecture=_architecture(backend, state) if backend else None,
    )


def _architecture(backend: str, state: AppState) -> Architecture | None:
    """What a backend's model reads; None where nobody says."""
    if backends.vision_error(backend, state.settings):
        return Architecture(input_modalities=["text"])
    sees = backends.computes_here(backend) or backends.vision.sees(backends.loaded_model(backend))
    return Architecture(input_modalities=["text", "image"]) if sees else None
