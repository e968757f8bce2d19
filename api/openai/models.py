"""`GET /v1/models`: the names that clients may send, and what they stand for. Asks no server and loads nothing."""

import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.concurrency import run_in_threadpool

import backends
from api.http.errors import ApiError, error_responses
from api.http.state import AppState, StateDep
from api.openai.request import DEFAULT
from chains import window

router = APIRouter(prefix="/v1", tags=["OpenAI"])
STARTED = int(time.time())
EXAMPLE: dict[str, JsonValue] = {
    "id": "default",
    "object": "model",
    "created": 1795273831,
    "owned_by": "llamacpp",
    "max_model_len": 1024,
}


class Model(BaseModel):
    """A name; `owned_by` is the backend behind it, and `max_model_len` its window in tokens where that is known."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int | None = None


class ModelList(BaseModel):
    """Every name that a request may have in `model` now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object": "list", "data": [EXAMPLE]}]})

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/models")
def models(state: StateDep) -> ModelList:
    """The ready backends, `default`, and the names in API_MODELS."""
    ready = [name for name in state.models if backends.availability_error(name, state.settings) is None]
    first = [_to_model(DEFAULT, state.choice.name)] if state.choice.name in ready else []
    return ModelList(data=[*first, *(_to_model(name, name) for name in ready)])


@router.get("/models/{model:path}", responses=error_responses(404, 503))
async def model(state: StateDep, model: str) -> Model:
    """One of these names. 404 for any other."""
    return _to_model(model, await resolve_model(state, model))


async def resolve_model(state: AppState, model: str) -> str:
    """The backend behind a name. Raises ApiError 404 for no such or no ready model, 503 for `default` without one."""
    name = state.choice.name if model == DEFAULT else model
    if name is None:
        raise ApiError(503, state.choice.reason, code="backend_unavailable")
    if name not in state.models:
        raise _model_not_found(f"The model '{model[:200]}' does not exist here. GET /v1/models lists those that do.")
    if backends.loaded_model(name) is None:
        problem = await run_in_threadpool(backends.availability_error, name, state.settings)
        if problem is not None and model == DEFAULT:
            raise ApiError(503, f"{name}: {problem}", code="backend_unavailable")
        if problem is not None:
            raise _model_not_found(f"The model '{name}' is not ready here: {problem}")
    return name


def _model_not_found(text: str) -> ApiError:
    return ApiError(404, text, code="model_not_found", param="model")


def _to_model(name: str, backend: str | None) -> Model:
    loaded = backends.loaded_model(backend or "")
    size = None if loaded is None else window.size(loaded)
    return Model(id=name, created=STARTED, owned_by=backend or "", max_model_len=size)
