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

from api.http import attachments, form
from api.http.auth import ANONYMOUS, OwnerStore
from api.http.body import json_body, json_body_schema
from api.http.errors import ApiError, error_responses
from api.http.jobs import shutting_down_error
from api.http.sources import EXAMPLE, Citation, to_citations
from api.http.state import StateDep
from conversations.library import files
from conversations.store import Document, NotFoundError
from documents.search import TOP_K
from settings import SettingsError

router = APIRouter(prefix="/v1", tags=["OpenAI"])
TEXT_EXAMPLE = "The ferry leaves at noon."
ID = "file-pQ4Xw2mZ0sB7tKcN1yVd9A"
FILE_EXAMPLE: dict[str, JsonValue] = {
    "id": ID,
    "object": "file",
    "bytes": 52314,
    "created_at": 1795273831,
    "filename": "notes.pdf",
    "purpose": "user_data",
    "status": "processed",
    "pages": 20,
    "passages": 64,
    "vectors": 64,
}
WORDS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": TEXT_EXAMPLE}}}
}
FileIds = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=200)]


class FileObject(BaseModel):
    """A document that was read; `pages` is null for a kind that has none.

    All passages are found by their words, and `vectors` of them by meaning too: they follow in the background.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [FILE_EXAMPLE]})

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: Literal["user_data"] = "user_data"
    status: Literal["processed"] = "processed"
    pages: int | None
    passages: int
    vectors: int


class FileList(BaseModel):
    """A page of the caller's files; `has_more`: ask again with `after` for the rest."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"object": "list", "data": [FILE_EXAMPLE], "has_more": False}]}
    )

    object: Literal["list"] = "list"
    data: list[FileObject]
    has_more: bool


class FileDeleted(BaseModel):
    """A deleted file: it is gone, with all that was read from it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": ID, "object": "file", "deleted": True}]})

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class UploadFields(BaseModel):
    """The fields beside a file in its form."""

    model_config = ConfigDict(extra="forbid")

    purpose: str = Field("user_data", max_length=64, description="ignored: every file can be answered from")


class SearchRequest(BaseModel):
    """A question, and the files to search."""

    model_config = ConfigDict(extra="forbid", strict=True)

    query: str = Field(min_length=1, max_length=10_000)
    files: Annotated[FileIds, Field(min_length=1)] = Field(description="ids of /v1/files")
    top: int = Field(TOP_K, ge=1, le=50, description="passages at most")


class SearchResults(BaseModel):
    """The best passages, best first; none where no word and no sense is in common."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object": "list", "data": [EXAMPLE]}]})

    object: Literal["list"] = "list"
    data: list[Citation]


def to_file_object(row: Document) -> FileObject:
    """A document as clients see it."""
    return FileObject(
        id=row.id,
        bytes=row.bytes,
        created_at=int(row.created),
        filename=row.name,
        pages=row.pages,
        passages=row.passages,
        vectors=row.vectors,
    )


async def uploaded_file(request: Request) -> AsyncIterator[UploadFile]:
    """The one file of the form. Raises ApiError 400 for none and for several, and what `parse_form` raises."""
    async with form.parse_form(request) as data:
        yield form.only_file(data, UploadFields, "notes.pdf")


FORM: dict[str, Any] = form.form_schema(
    UploadFields.model_json_schema(), "file", form.BINARY_SCHEMA, notes={"file": TEXT_EXAMPLE, "purpose": "user_data"}
)
FORM[form.MULTIPART]["schema"]["required"] = ["file"]


@router.post(
    "/files",
    responses=error_responses(400, 408, 413, 500, 503),
    openapi_extra={"requestBody": {"required": True, "content": FORM}},
)
async def create(
    state: StateDep, store: OwnerStore, upload: Annotated[UploadFile, Depends(uploaded_file)]
) -> FileObject:
    """Read a file (PDF, DOCX, XLSX, PPTX, EPUB, Markdown, text, CSV, HTML, pictures), and keep its text."""
    if state.shutting_down:
        raise shutting_down_error()
    with state.queues.reserve("files", state.api.max_queue):
        row = await to_thread.run_sync(
            attachments.keep_file, store, upload, state.document_limits, limiter=state.readers
        )
    return to_file_object(row)


@router.get("/files", responses=error_responses(400, 404, 503))
def listing(
    store: OwnerStore,
    after: Annotated[str | None, Query(max_length=64, description="the last id of what came before")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    purpose: Annotated[str | None, Query(max_length=64, description="ignored")] = None,
) -> FileList:
    """The caller's files. 403 where no key is needed: all callers are one there, and whoever knows an id may read."""
    if store.owner == ANONYMOUS:
        raise ApiError(
            403,
            "This server knows no callers apart, so it lists no files: ask for yours by their ids, or set API_KEYS.",
            code="key_needed",
        )
    rows = files.listing(store)
    rows = rows if order == "asc" else rows[::-1]
    names = [row.id for row in rows]
    if after is not None and after not in names:
        raise NotFoundError(f"There is no document {after!r} of yours.")
    rest = rows[names.index(after) + 1 :] if after is not None else rows
    return FileList(data=[to_file_object(row) for row in rest[:limit]], has_more=len(rest) > limit)


EXAMPLES = {"search": {"query": "When was the lighthouse built?", "files": [ID], "top": 3}}


@router.post(
    "/files/search",
    responses=error_responses(400, 404, 408, 413, 500, 502, 503, 504),
    openapi_extra=json_body_schema(SearchRequest, **EXAMPLES),
)
async def search(store: OwnerStore, body: Annotated[SearchRequest, Depends(json_body(SearchRequest))]) -> SearchResults:
    """The passages that fit a question best. No model is asked."""
    retriever = await run_in_threadpool(files.document_retriever, store, body.files)
    best = await run_in_threadpool(retriever.index.search, body.query, body.top)
    return SearchResults(data=to_citations(best))


@router.get("/files/{file_id}", responses=error_responses(404, 503))
def retrieve(store: OwnerStore, file_id: str) -> FileObject:
    """A file's name, size, pages and passages."""
    return to_file_object(files.get(store, file_id))


@router.get(
    "/files/{file_id}/content",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": TEXT_EXAMPLE}}},
        **error_responses(404, 503),
    },
)
def content(store: OwnerStore, file_id: str) -> Response:
    """The text that was read from a file."""
    return PlainTextResponse(files.content(store, file_id), headers={"X-Content-Type-Options": "nosniff"})


@router.post("/files/{file_id}/vectors", responses=error_responses(400, 404, 503))
def embed(store: OwnerStore, file_id: str) -> FileObject:
    """Have vectors made of a file that was kept before, by what EMBEDDINGS names; `vectors` counts those there are.

    400 where nothing makes any.
    """
    try:
        files.embed(store, file_id)
    except SettingsError as error:
        raise ApiError(400, str(error), code="embeddings_off") from error
    return to_file_object(files.get(store, file_id))


@router.delete("/files/{file_id}", responses=error_responses(404, 503))
def delete(store: OwnerStore, file_id: str) -> FileDeleted:
    """Delete a file with all that was read from it."""
    files.delete(store, file_id)
    return FileDeleted(id=file_id)
