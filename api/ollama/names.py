"""The names of models as Ollama's clients write them: `:latest` where there is no tag, `hf.co/` before a hub's.

Knows names; no route.
"""

from starlette.concurrency import run_in_threadpool

from api.http.models import resolve_model
from api.http.state import DEFAULT, AppState
from backends import models
from documents import embedding

LATEST = ":latest"
HUBS = ("hf.co/", "huggingface.co/")


def listed_name(name: str) -> str:
    """A name as /api/tags has it."""
    return name if ":" in name else f"{name}{LATEST}"


def hub_spec(name: str) -> str | None:
    """The repository, with a model where one is named, of a name of the hub's; None for any other name."""
    plain = name.removesuffix(LATEST)
    return next((plain.removeprefix(hub) for hub in HUBS if plain.startswith(hub)), None)


def find_pulled(name: str, local: list[str]) -> str | None:
    """The local model that was pulled by this name of the hub's; None where there is none."""
    spec = hub_spec(name)
    if spec is None:
        return None
    repository, wanted = models.split_spec(spec)
    below = [each for each in local if each.partition(":")[2].startswith(f"{repository}/")]
    named = [each for each in below if wanted is None or wanted.lower() in each.lower()]
    return named[0] if len(named) == 1 else None


async def read(state: AppState, name: str) -> str:
    """The name that is meant, as the rest of the API has it."""
    plain = name.removesuffix(LATEST)
    embedder = embedding.current_embedder()
    known = {DEFAULT, *state.models, *state.aliases, *([embedder.name] if embedder else ())}
    if plain != name and name not in known and plain in known:
        return plain
    if hub_spec(name) is None:
        return name
    return find_pulled(name, await run_in_threadpool(state.local_models)) or name


async def resolve(state: AppState, name: str) -> str:
    """The backend behind a name. Raises ApiError 404, 503."""
    return await resolve_model(state, await read(state, name))
