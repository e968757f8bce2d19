"""The names of models that clients may send, and the backends behind them. Asks no server and loads nothing."""

import re

from starlette.concurrency import run_in_threadpool

import backends
from api.http.errors import ApiError
from api.http.state import DEFAULT, EVERY, AppState

MAX_SHOWN = 20  # names in a message
ALIAS = re.compile(r"[\w.:/-]{1,100}", re.ASCII)


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
