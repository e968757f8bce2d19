"""A project as one file: `GET /projects/{project_id}/export`, and `POST /projects/import`. Knows our form's doors."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api.http.auth import OwnerStore
from api.http.body import read_body
from api.http.errors import ApiError, error_responses
from conversations import exchange
from conversations.replies import held_here
from conversations.store import Store

router = APIRouter(prefix="/projects", tags=["projects"])
FILE: dict[str, Any] = {
    "format": "llm-assistant",
    "version": 1,
    "project": {"name": "Garden", "created": 1795273831.0, "system": "Answer as a gardener.", "documents": []},
    "conversations": [],
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["format", "version", "project", "conversations"],
    "properties": {
        "format": {"const": "llm-assistant"},
        "version": {"const": 1},
        "project": {"type": "object", "required": ["name", "created"]},
        "conversations": {"type": "array", "items": {"type": "object"}},
    },
}
CONTENT: dict[str, Any] = {"application/json": {"schema": SCHEMA, "example": FILE}}


class ImportedProject(BaseModel):
    """What came in: `project` is its name, null where project and sessions are there already.

    `added` are the ids of its new sessions, `skipped` of those that are there unchanged. `notes` say what the file set
    (model and tools), and what of it is not here and left out.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"project": "Garden", "added": [], "skipped": [], "notes": []}]}
    )

    project: str | None
    added: list[str]
    skipped: list[str]
    notes: list[str]


@router.get(
    "/{project_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": CONTENT}, **error_responses(400, 404, 503)},
)
def export(store: OwnerStore, project_id: Annotated[str, Path(max_length=64)]) -> StreamingResponse:
    """A project with its documents and sessions as one file, which can be imported again, here or elsewhere."""
    named = {"Content-Disposition": "attachment; filename=project.json", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(exchange.export_project(store, project_id), media_type="application/json", headers=named)


async def file_body(request: Request) -> bytes:
    """The file. Raises as `read_body` does."""
    return await read_body(request)


@router.post(
    "/import",
    responses=error_responses(400, 408, 413, 500, 503),
    openapi_extra={"requestBody": {"required": True, "content": CONTENT}},
)
async def import_(store: OwnerStore, body: Annotated[bytes, Depends(file_body)]) -> ImportedProject:
    """Make a project of such a file, with its documents and sessions; all of them or nothing."""
    return await run_in_threadpool(take_in, store, body)


def take_in(store: Store, body: bytes) -> ImportedProject:
    """Write what stands in a file. Raises ApiError 400 for a file that has no project, or cannot be read as a whole."""
    try:
        parsed = exchange.parse(body, "the file")
        if parsed.project is None:
            raise ApiError(400, "The file has no project: send what the export of one gave.", code="invalid_file")
        if parsed.left_out:
            raise ApiError(400, f"the file: {parsed.left_out[0]}", code="invalid_file")
        report = exchange.import_files(store, parsed, hold=held_here)
    except exchange.ExchangeError as error:
        raise ApiError(400, str(error), code="invalid_file") from None
    name = next(iter(report.projects), None)
    return ImportedProject(project=name, added=report.added, skipped=report.skipped, notes=report.notes)
