"""`GET /conversations/{id}/export`: a conversation of the caller's as a file, in each of the formats."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from api.http.auth import OwnerStore
from api.http.errors import ApiError, error_responses
from conversations import exchange
from conversations.store import Store

router = APIRouter(tags=["conversations"])
FormatName = Literal["json", "markdown", "html", "pdf", "jsonl", "jsonl-liked"]
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            form.media_type: {"schema": {"type": "string", "format": "binary"}} for form in exchange.FORMATS.values()
        }
        | {"text/markdown": {"schema": {"type": "string"}, "example": "# Oaks\n\n**You**\n\n> How old is an oak?\n"}}
    }
}


@router.get(
    "/conversations/{conversation_id}/export",
    response_class=Response,
    responses={**FILES, **error_responses(400, 401, 404, 429, 503)},
)
async def export(
    store: OwnerStore,
    conversation_id: str,
    format: Annotated[FormatName, Query(description="json alone can be imported again")] = "json",
) -> Response:
    """A conversation as a file: as ours, for people, or for training (all whole replies, or those with a thumb up)."""
    form = exchange.FORMATS[format]
    if form.problem:
        raise ApiError(400, f"format={format}: {form.problem}", code="format_unavailable", param="format")
    data = await run_in_threadpool(_export, store, conversation_id, form)
    name = f'attachment; filename="{conversation_id}{exchange.ending(format)}"'
    headers = {"content-disposition": name, "x-content-type-options": "nosniff"}
    return Response(data, media_type=form.media_type, headers=headers)


def _export(store: Store, conversation_id: str, form: exchange.FileFormat) -> bytes:
    return b"".join(form.write([exchange.export_conversation(store, conversation_id)]))
