"""`GET /api/tags`, `/api/ps`, `/api/version` and `POST /api/show`: which models there are. Loads none."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool

import backends
from api.http.body import json_body_schema
from api.http.models import resolve_model
from api.http.open_model import OpenRequest, request_body
from api.http.state import AppState, StateDep
from api.ollama import names
from api.ollama.answer import format_time
from api.ollama.chat import FAILURES
from api.ollama.details import Described, Details, describe, describe_all, find_embedder
from api.ollama.request import NAMED, Name

router = APIRouter(prefix="/api", tags=["Ollama"])
SPOKEN = "0.13.5"  # the version of Ollama whose API this is: clients look for what theirs can
FOR_EVER = timedelta(days=36_500)
NAMED_EXAMPLE: dict[str, JsonValue] = {
    "name": "llamacpp:latest",
    "model": "llamacpp:latest",
    "size": 98305472,
    "digest": "5d6ab6d4f1c3f0f4c0f3c5c2a1d8f9e7b6a5948372615049382716059483726a",
    "details": {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "135M",
        "quantization_level": "Q4_1",
    },
}
ROW_EXAMPLE: dict[str, JsonValue] = {**NAMED_EXAMPLE, "modified_at": "2026-11-30T12:00:00Z"}
LOADED_EXAMPLE: dict[str, JsonValue] = {
    **NAMED_EXAMPLE,
    "expires_at": "2026-11-30T12:05:00Z",
    "size_vram": 0,
    "context_length": 8192,
}


class ModelRow(BaseModel):
    """A model that may be asked for."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: Details


class ModelRows(BaseModel):
    """Every model that may be asked for now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [ROW_EXAMPLE]}]})

    models: list[ModelRow]


class LoadedRow(BaseModel):
    """A model in memory."""

    name: str
    model: str
    size: int
    digest: str
    details: Details
    expires_at: str
    size_vram: int
    context_length: int


class LoadedRows(BaseModel):
    """The models in memory."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"models": [LOADED_EXAMPLE]}]})

    models: list[LoadedRow]


class Version(BaseModel):
    """The version of Ollama whose API is spoken here."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": SPOKEN}]})

    version: str


class ShowRequest(OpenRequest):
    """A model that is asked about."""

    model: Name = NAMED
    verbose: Any = Field(None, description="no answer depends on it")
    system: Any = Field(None, description="no answer depends on it")
    options: Any = Field(None, description="no answer depends on it")


class Shown(BaseModel):
    """What is known of a model, as far as its files say it."""

    modelfile: str
    parameters: str
    template: str
    license: str
    details: Details
    model_info: dict[str, str | int]
    capabilities: list[str]
    modified_at: str


@router.get("/tags")
def tags(state: StateDep) -> ModelRows:
    """Every name that a request may have in `model` now."""
    return ModelRows(models=[_row(each) for each in describe_all(state)])


def _row(model: Described) -> ModelRow:
    return ModelRow(
        name=model.listed,
        model=model.listed,
        modified_at=model.modified,
        size=model.size,
        digest=model.digest,
        details=model.details,
    )


@router.get("/ps")
def ps(state: StateDep) -> LoadedRows:
    """The models in memory, of those that may be asked for."""
    rows = (_loaded_row(each) for each in describe_all(state))
    return LoadedRows(models=[row for row in rows if row is not None])


def _loaded_row(model: Described) -> LoadedRow | None:
    """The row of a model; None of one that is not in memory, or in a server's."""
    resident = backends.resident(model.backend)
    if resident is None or resident.held is None:
        return None
    left = timedelta(seconds=max(0.0, resident.expires - time.monotonic())) if resident.idle else FOR_EVER
    return LoadedRow(
        name=model.listed,
        model=model.listed,
        size=resident.size,
        digest=model.digest,
        details=model.details,
        expires_at=format_time(datetime.now(UTC) + left),
        size_vram=0,
        context_length=int((resident.model.profile or {}).get("max_input_tokens") or 0),
    )


@router.get("/version")
async def version() -> Version:
    """The version of Ollama whose API is spoken here; this server's own is in /health."""
    return Version(version=SPOKEN)


@router.post("/show", responses=FAILURES, openapi_extra=json_body_schema(ShowRequest, one={"model": "default"}))
async def show(state: StateDep, body: Annotated[ShowRequest, Depends(request_body(ShowRequest))]) -> Shown:
    """What is known of a model."""
    name = await names.read(state, body.model)
    embedder = find_embedder()
    if embedder is not None and embedder.name == name:
        return _shown(embedder, {})
    return await run_in_threadpool(_show, state, name, await resolve_model(state, name))


def _show(state: AppState, name: str, backend: str) -> Shown:
    return _shown(describe(state, name, backend), backends.sampling_defaults(backend, state.settings))


def _shown(model: Described, defaults: Mapping[str, float | int]) -> Shown:
    return Shown(
        modelfile=f"FROM {model.listed}\n",
        parameters="\n".join(f"{key} {value}" for key, value in defaults.items() if value is not None),
        template=model.template,
        license=model.entry.licence if model.entry else "",
        details=model.details,
        model_info=model.model_info(),
        capabilities=model.capabilities,
        modified_at=model.modified,
    )
