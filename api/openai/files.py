"""`/v1/files` as OpenAI's clients call it, and the search in files: no model is asked. Knows forms and documents.

What is kept is the text that was read, not the file. A file of these routes belongs to no conversation.
"""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from api.http import form
from api.http.auth import ANYBODY, Mine
from api.http.body import body
from api.http.body import documented as shown
from api.http.errors import Problem, documented
from api.http.jobs import ending
from api.http.sources import EXAMPLE, Cited, cited
from api.http.state import Here
from api.predict import attachments
from conversations.library import files
from conversations.store.schema import Document
from conversations.store.store import NotFoundError
from documents.search import TOP

router = APIRouter(prefix="/v1", tags=["OpenAI"])
TEXT = "The ferry leaves at noon."
ID = "file-pQ4Xw2mZ0sB7tKcN1yVd9A"
SHOWN: dict[str, JsonValue] = {
    "id": ID, "object": "file", "bytes": 52314, "created_at": 1795273831, "filename": "notes.pdf",
    "purpose": "user_data", "status": "processed", "pages": 20, "passages": 64,
}  # fmt: skip
WORDS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": TEXT}}}
}
Files = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=200)]


class File(BaseModel):
    """A document that was read; `pages` is null for a kind that has none."""

    model_config = ConfigDict(json_schema_extra={"examples": [SHOWN]})

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["user_data"] = "user_data"
    status: Literal["processed"] = "processed"
    pages: int | None
    passages: int


class Listed(BaseModel):
    """The caller's files; `has_more`: ask again with `after` for the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object": "list", "data": [SHOWN], "has_more": False}]})

    object: Literal["list"] = "list"
    data: list[File]
    has_more: bool


class Deleted(BaseModel):
    """It is gone, with all that was read from it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": ID, "object": "file", "deleted": True}]})

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class Purpose(BaseModel):
    """What stands beside a file in its form."""

    model_config = ConfigDict(extra="forbid")

    purpose: str = Field("user_data", max_length=64, description="ignored: every file can be answered from")


class Search(BaseModel):
    """What to look for, and where."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=10_000)
    files: Annotated[Files, Field(min_length=1)] = Field(description="ids of /v1/files")
    top: int = Field(TOP, ge=1, le=50, description="passages at most")


class Found(BaseModel):
    """The best passages, best first; none where no word and no sense is in common."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object": "list", "data": [EXAMPLE]}]})

    object: Literal["list"] = "list"
    data: list[Cited]


def file(row: Document) -> File:
    """The same as clients see it."""
    return File(id=row.id, bytes=row.bytes, created_at=int(row.created), filename=row.name, pages=row.pages,
                passages=row.passages)  # fmt: skip


async def sent(request: Request) -> AsyncIterator[UploadFile]:
    """The one file of the form. Raises Problem 400."""
    async with form.form(request) as found:
        given = form.files(found, "file")
        form.fields(found, Purpose)
        if len(given) != 1:
            raise Problem(400, f"file: one file is wanted, {len(given)} came. Send it as `curl -F file=@notes.pdf`.",
                          code="invalid_value", param="file")  # fmt: skip
        yield given[0]


FORM: dict[str, Any] = form.documented(
    Purpose.model_json_schema(), "file", form.BINARY, notes={"file": TEXT, "purpose": "user_data"}
)
FORM[form.KIND]["schema"]["required"] = ["file"]


@router.post(
    "/files",
    responses=documented(400, 408, 413, 500, 503),
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create(here: Here, store: Mine, given: Annotated[UploadFile, Depends(sent)]) -> File:
    """Read a file (PDF, DOCX, Markdown, text, CSV, HTML), and keep its text."""
    if here.ending:
        raise ending()
    with here.queues.place("files", here.knobs.max_queue):
        row = await to_thread.run_sync(attachments.keep, store, given, here.documents, limiter=here.reading)
    return file(row)


@router.get("/files", responses=documented(400, 404, 503))
def listing(
    store: Mine,
    after: Annotated[str | None, Query(max_length=64, description="the last id of what came before")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    purpose: Annotated[str | None, Query(max_length=64, description="ignored")] = None,
) -> Listed:
    """The caller's files. 403 where no key is needed: all callers are one there, and whoever knows an id may read."""
    if store.owner == ANYBODY:
        raise Problem(403, "This server knows no callers apart, so it lists no files: ask for yours by their ids, or "
                      "set API_KEYS.", code="key_needed")  # fmt: skip
    rows = files.listing(store)
    rows = rows if order == "asc" else rows[::-1]
    names = [row.id for row in rows]
    if after is not None and after not in names:
        raise NotFoundError(f"There is no document {after!r} of yours.")
    rest = rows[names.index(after) + 1 :] if after is not None else rows
    return Listed(data=[file(row) for row in rest[:limit]], has_more=len(rest) > limit)


EXAMPLES = {"search": {"query": "When was the lighthouse built?", "files": [ID], "top": 3}}


@router.post(
    "/files/search",
    responses=documented(400, 404, 408, 413, 500, 502, 503, 504),
    openapi_extra=shown(Search, **EXAMPLES),
)
async def search(store: Mine, asked: Annotated[Search, Depends(body(Search))]) -> Found:
    """The passages that fit a question best. No model is asked."""
    found = await run_in_threadpool(files.among, store, asked.files)
    best = await run_in_threadpool(found.index.search, asked.query, asked.top)
    return Found(data=cited(best))


@router.get("/files/{file_id}", responses=documented(404, 503))
def retrieve(store: Mine, file_id: str) -> File:
    """What is known of a file."""
    return file(files.get(store, file_id))


@router.get(
    "/files/{file_id}/content",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": TEXT}}},
        **documented(404, 503),
    },
)
def content(store: Mine, file_id: str) -> Response:
    """The text that was read from it."""
    return PlainTextResponse(files.content(store, file_id), headers={"X-Content-Type-Options": "nosniff"})


@router.delete("/files/{file_id}", responses=documented(404, 503))
def delete(store: Mine, file_id: str) -> Deleted:
    """Delete it with all that was read from it."""
    files.remove(store, file_id)
    return Deleted(id=file_id)
