"""`POST /api/pull` and `DELETE /api/delete`: models downloaded from the hub and removed, where the caller may.

Knows requests and lines of progress; nothing of files.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

import backends
from api.http.body import json_body_schema
from api.http.errors import ApiError
from api.http.open_model import OpenRequest, request_body
from api.http.permission import check_may_manage
from api.http.sse import encode
from api.http.state import AppState, StateDep
from api.ollama.answer import NDJSON, ndjson_response
from api.ollama.chat import FAILURES
from api.ollama.errors import error_body, error_responses
from api.ollama.names import LATEST, find_pulled, hub_spec
from api.ollama.request import NAMED, Name
from backends import Entry, ModelsSettings, models
from settings import SettingsError

router = APIRouter(prefix="/api", tags=["Ollama"])
POLL = 0.5  # seconds between two lines


class PullRequest(OpenRequest):
    """A model of the hub that is to be downloaded: hf.co/owner/name, with :quantization where it has several."""

    model: Name = NAMED
    stream: bool | None = Field(None, description="false: one answer at the end; unset: lines of progress")
    insecure: Any = Field(None, description="no answer depends on it")


class DeleteRequest(OpenRequest):
    """A model that is to be removed."""

    model: Name = NAMED


class PullStatus(BaseModel):
    """How far it is; bytes where they are known."""

    status: str
    digest: str | None = Field(None, exclude_if=lambda value: value is None)
    total: int | None = Field(None, exclude_if=lambda value: value is None)
    completed: int | None = Field(None, exclude_if=lambda value: value is None)


@router.post(
    "/pull",
    response_model=PullStatus,
    responses={**FAILURES, **ndjson_response(PullStatus, {"status": "pulling manifest"}, {"status": "success"})},
    openapi_extra=json_body_schema(PullRequest, one={"model": "hf.co/Qwen/Qwen3-0.6B-GGUF:Q8_0", "stream": False}),
)
async def pull(
    state: StateDep, request: Request, body: Annotated[PullRequest, Depends(request_body(PullRequest))]
) -> Any:
    """Download a model; what came before an end in between stays, and is gone on with."""
    check_may_manage(state, request)
    spec = hub_spec(body.model)
    if spec is None:
        text = f"{body.model[:200]}: models are pulled from the hub alone. Write hf.co/owner/name, or with :Q4_K_M."
        raise ApiError(404, text, code="model_not_found", param="model")
    is_ours = all(each.spec != spec or each.state != "running" for each in models.list_downloads())
    download = models.start(spec, state.settings.group(ModelsSettings).home)
    lines = _progress(state, download, is_ours)
    if body.stream is not False:
        return StreamingResponse(_as_lines(lines), media_type=NDJSON, headers={"Cache-Control": "no-store"})
    return [line async for line in lines][-1]


async def _progress(state: AppState, download: models.Download, is_ours: bool) -> AsyncIterator[PullStatus]:
    """How far it is, until it has ended; one of ours ends with whoever asked. Raises ApiError where it failed."""
    try:
        yield PullStatus(status="pulling manifest")
        while download.state == "running":
            if download.progress.total:
                yield _step(download)
            await asyncio.sleep(POLL)
        if download.state != "done":
            raise ApiError(502, download.error or "The download was ended.", code="download_failed")
        yield _step(download)
        if note := await run_in_threadpool(_unasked, state, download):
            yield PullStatus(status=note)
        yield PullStatus(status="success")
    finally:
        if is_ours:  # of one that has ended nothing is left to cancel
            download.cancel()


def _step(download: models.Download) -> PullStatus:
    spec, progress = download.spec, download.progress
    return PullStatus(status=f"pulling {spec}", digest=spec, total=progress.total, completed=progress.done)


def _unasked(state: AppState, download: models.Download) -> str | None:
    """What to say of a model that nobody may ask for here; None of one that answers."""
    found = (each for each in backends.list_catalogue(state.settings) if each.path == download.path)
    entry = next(found, None)
    if entry is None or entry.full_name in {*state.models, *state.local_models()}:
        return None
    return f"{entry.full_name} is here; it answers where the server's API_MODELS has {entry.backend}:*"


async def _as_lines(progress: AsyncIterator[PullStatus]) -> AsyncIterator[str]:
    try:
        async for each in progress:
            yield encode(each.model_dump(exclude_none=True)) + "\n"
    except ApiError as problem:
        yield encode(error_body(problem)) + "\n"


@router.delete(
    "/delete",
    response_class=Response,
    responses={200: {"description": "It is gone.", "content": {}}, **FAILURES, **error_responses(403)},
    openapi_extra=json_body_schema(DeleteRequest, one={"model": "llamacpp:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0"}),
)
async def delete(
    state: StateDep, request: Request, body: Annotated[DeleteRequest, Depends(request_body(DeleteRequest))]
) -> Response:
    """Remove a model that was downloaded by this program; those of others are theirs."""
    check_may_manage(state, request)
    await run_in_threadpool(_remove, state, body.model)
    return Response()


def _remove(state: AppState, name: str) -> None:
    """Delete its files. Raises ApiError 404, 400 for one that is not ours to delete."""
    entry = _find(state, name)
    if entry is None:
        raise ApiError(404, f"model '{name[:200]}' not found", code="model_not_found", param="model")
    try:
        backends.remove(entry, state.settings)
    except SettingsError as error:
        raise ApiError(400, str(error), code="model_not_removed", param="model") from None


def _find(state: AppState, name: str) -> Entry | None:
    entries = backends.list_catalogue(state.settings)
    pulled = find_pulled(name, [each.full_name for each in entries])
    wanted = {name, name.removesuffix(LATEST), pulled}
    return next((each for each in entries if each.full_name in wanted), None)
