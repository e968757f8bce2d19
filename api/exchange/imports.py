"""`POST /conversations/import`: a file of conversations, this program's or another's, taken in for the caller.

Knows forms and the exchange's doors; no form of a file.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import UploadFile

from api.http import form
from api.http.attachments import MAX_NAME
from api.http.auth import OwnerStore
from api.http.errors import ApiError, error_responses
from api.http.jobs import shutting_down_error
from api.http.state import StateDep, get_state
from conversations import exchange
from conversations.replies import held_here
from conversations.store import Store

router = APIRouter(tags=["conversations"])
MAX_LINES = 1_000  # that are told of one file
LIMIT = "IMPORT_MAX_BYTES"
EXAMPLE: dict[str, Any] = {
    "added": ["5f0e1c1e-8d1c-4b6a-9f0e-2b8f3a1f7c55"],
    "renamed": [],
    "skipped": [],
    "personas": [],
    "projects": ["Lights"],
    "programs": ["Claude"],
    "lines": ["1 added from Claude, 0 there already, 1 empty; projects: Lights."],
}
SENT = '[{"uuid": "1", "name": "Lights", "chat_messages": [{"sender": "human", "text": "hi"}]}]'


class ImportFields(BaseModel):
    """The fields beside a file in its form: there are none."""

    model_config = ConfigDict(extra="forbid")


class Imported(BaseModel):
    """What came in: `added` and `skipped`, which were there unchanged, are ids of conversations.

    `renamed` are those of `added` whose own id was taken. `personas` and `projects` are names, `programs` are those
    whose form the file has, `lines` say for people what came in, what did not, and why.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    added: list[str]
    renamed: list[str]
    skipped: list[str]
    personas: list[str]
    projects: list[str]
    programs: list[str]
    lines: list[str]


FORM: dict[str, Any] = form.form_schema(
    ImportFields.model_json_schema(), "file", form.BINARY_SCHEMA, claude={"file": SENT}
)
FORM[form.MULTIPART]["schema"]["required"] = ["file"]


async def uploaded_export(request: Request) -> AsyncIterator[UploadFile]:
    """The one file of the form, which lies on the disk. Raises ApiError 400 for none and for several, 413, 408."""
    limit = get_state(request).api.import_max_bytes
    async with form.parse_form(request, limit, LIMIT) as data:
        yield form.only_file(data, ImportFields, "conversations.zip")


@router.post(
    "/conversations/import",
    responses=error_responses(400, 408, 413, 500, 503),
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def import_(
    state: StateDep, store: OwnerStore, upload: Annotated[UploadFile, Depends(uploaded_export)]
) -> Imported:
    """Take in the conversations of a file (ours, ChatGPT's, Claude's and others'; zips too), or none where it is cut.

    One conversation that cannot be read keeps no other out. All are written in one transaction.
    """
    if state.shutting_down:
        raise shutting_down_error()
    with state.queues.reserve("files", state.api.max_queue):
        return await to_thread.run_sync(take_in, store, upload, limiter=state.readers)


def take_in(store: Store, upload: UploadFile) -> Imported:
    """Read a file and write what stands in it. Raises ApiError 400 for one that is no export, or cannot be read."""
    try:
        parsed = exchange.parse(upload.file, (upload.filename or "the file")[-MAX_NAME:])
        report = exchange.import_files(store, parsed, hold=held_here)
    except exchange.ExchangeError as error:
        raise ApiError(400, str(error), code="invalid_file", param="file") from None
    lines = exchange.describe_import(parsed, report)
    more = [f"and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
    return Imported(
        added=report.added,
        renamed=report.renamed,
        skipped=report.skipped,
        personas=report.personas,
        projects=report.projects,
        programs=parsed.programs,
        lines=[*lines[:MAX_LINES], *more],
    )
