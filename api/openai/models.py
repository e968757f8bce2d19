"""`GET /v1/models`: the names that clients may send, and what they stand for. Asks no server and loads nothing."""

import re
import time
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, JsonValue
from starlette.concurrency import run_in_threadpool

import backends
from api.http.errors import ApiError, error_responses
from api.http.state import DEFAULT, EVERY, AppState, StateDep
from chains import window

router = APIRouter(prefix="/v1", tags=["OpenAI"])
STARTED = int(time.time())
MAX_SHOWN = 20  # names in a message
ALIAS = re.compile(r"[\w.:/-]{1,100}", re.ASCII)
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
    """The ready backends, `default`, and the names in API_MODELS: of models on this machine, too."""
    return ModelList(data=[_to_model(name, backend) for name, backend in ready_models(state).items()])


@router.get("/models/{model:path}", responses=error_responses(404, 503))
async def model(state: StateDep, model: str) -> Model:
    """One of these names. 404 for any other."""
    return _to_model(model, await resolve_model(state, model))


def ready_models(state: AppState) -> dict[str, str]:
    """Every name that a request may have now, with the backend behind it."""
    names = {DEFAULT: state.choose().name, **{name: name for name in state.models if not name.endswith(EVERY)}}
    names |= {alias: names.get(target, target) for alias, target in state.aliases.items()}
    problems = {name: backends.availability_error(name, state.settings) for name in set(names.values()) if name}
    ready = {name: backend for name, backend in names.items() if backend and problems[backend] is None}
    return ready | {name: name for name in state.local_models()}


async def resolve_model(state: AppState, model: str) -> str:
    """The backend behind a name. Raises ApiError 404 for no such or no ready model, 503 for `default` without one."""
    target = state.aliases.get(model, model)
    name = state.choose().name if target == DEFAULT else target
    if name is None:
        raise ApiError(503, state.choice.reason, code="backend_unavailable")
    is_named = name in state.models and not name.endswith(EVERY)
    if not (is_named or model in state.aliases or name in await run_in_threadpool(state.local_models)):
        raise _model_not_found(await run_in_threadpool(_describe_models, state, model))
    if backends.loaded_model(name) is None:
        problem = await run_in_threadpool(backends.availability_error, name, state.settings)
        if problem is not None and target == DEFAULT:
            raise ApiError(503, f"{name}: {problem}", code="backend_unavailable")
        if problem is not None:
            raise _model_not_found(f"The model '{model}' is not ready here: {problem}")
    return name


def _describe_models(state: AppState, model: str) -> str:
    """That there is no such model, what there is, and how the server comes to know the name."""
    names = list(ready_models(state))
    shown = ", ".join(names[:MAX_SHOWN]) + (", …" if len(names) > MAX_SHOWN else "")
    remedy = f"Or have API_MODELS={model}={DEFAULT} on the server." if ALIAS.fullmatch(model) else ""
    return f"The model '{model[:200]}' does not exist here. There are: {shown or 'none'}. {remedy}".rstrip()


def _model_not_found(text: str) -> ApiError:
    return ApiError(404, text, code="model_not_found", param="model")


def _to_model(name: str, backend: str | None) -> Model:
    loaded = backends.loaded_model(backend or "")
    size = None if loaded is None else window.size(loaded)
    return Model(id=name, created=STARTED, owned_by=backend or "", max_model_len=size)
