"""Links to conversations as they stand: made, listed and revoked by their owner, opened by whoever has one.

Nothing is logged of a token: the access log knows routes, and no trace is made of these. Knows no table and no format.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse

from api.http.auth import ANONYMOUS, OwnerStore
from api.http.body import json_body, json_body_schema
from api.http.errors import ApiError, error_responses
from api.http.state import AppState, StateDep
from conversations import exchange
from conversations.store import SharedLink, links

router = APIRouter(tags=["conversations"])
open_router = APIRouter(tags=["conversations"])
OFF = "This server makes and opens no links to conversations: SHARE_LINKS is not set."
ID_EXAMPLE = "pQ4Xw2mZ0sB7"
HEADERS = {
    "content-security-policy": f"{exchange.content_policy()}; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",  # once it is revoked nobody is shown it
}


class LinkRequest(BaseModel):
    """What a link shows, and for how long."""

    model_config = ConfigDict(strict=True, extra="forbid")

    days: float | None = Field(None, gt=0, le=3650, description="until it opens nothing; at most SHARE_LINK_DAYS")
    branches: bool = Field(False, description="all branches, not only the shown one")
    documents: bool = Field(
        False, description="names and passages of documents, calls of tools, and thoughts over them"
    )


class Link(BaseModel):
    """A link to a conversation as it stood."""

    id: str = Field(json_schema_extra={"example": ID_EXAMPLE})
    conversation_id: str
    title: str
    created: float
    expires: float
    branches: bool
    documents: bool


class NewLink(Link):
    """A new link with its path, which is told this once."""

    path: str = Field(description="of its page, below this server's address")


class LinkList(BaseModel):
    """Links that can be opened, the newest first."""

    links: list[Link]


class Revoked(BaseModel):
    """A link that opens nothing any more."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": ID_EXAMPLE, "revoked": True}]})

    id: str
    revoked: bool = True


class Copied(BaseModel):
    """The caller's own copy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"conversation_id": "pQ4Xw2mZ0sB7tKcN1yVd9A"}]})

    conversation_id: str


def check_enabled(state: StateDep) -> None:
    """Raise ApiError 404 where links are switched off."""
    if not state.settings.share_links:
        raise ApiError(404, OFF, code="links_off")


Enabled = Depends(check_enabled)
PAGE = {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html><title>Oaks</title>…"}}
Token = Annotated[str, Path(min_length=1, max_length=100)]


@router.post(
    "/conversations/{conversation_id}/links",
    dependencies=[Enabled],
    responses=error_responses(400, 401, 404, 429, 503),
    openapi_extra=json_body_schema(LinkRequest, plain={"days": 7}),
)
async def create(
    state: StateDep,
    store: OwnerStore,
    conversation_id: str,
    body: Annotated[LinkRequest, Depends(json_body(LinkRequest, b"{}"))],
) -> NewLink:
    """Make a link to a conversation as it is now; what is added later is not shown."""
    longest = state.settings.share_link_days
    days = longest if body.days is None else body.days
    if days > longest:
        text = f"days={days:g}: at most {longest:g} (SHARE_LINK_DAYS)."
        raise ApiError(400, text, code="invalid_value", param="days")
    try:
        link, token = await run_in_threadpool(
            exchange.share, store, conversation_id, days, branches=body.branches, documents=body.documents
        )
    except exchange.ExchangeError as error:
        raise ApiError(400, str(error), code="empty_conversation") from error
    return NewLink(**_fields(link), path=f"/shared/{token}")


@router.get("/links", dependencies=[Enabled], responses=error_responses(401, 404, 429, 503))
async def listing(store: OwnerStore) -> LinkList:
    """The caller's links. 403 where no key is needed: all callers are one there."""
    if store.owner == ANONYMOUS:
        text = "This server knows no callers apart, so it lists no links: keep their ids, or set API_KEYS."
        raise ApiError(403, text, code="key_needed")
    found = await run_in_threadpool(links.listing, store)
    return LinkList(links=[Link(**_fields(link)) for link in found])


@router.delete("/links/{link_id}", dependencies=[Enabled], responses=error_responses(401, 404, 429, 503))
async def revoke(store: OwnerStore, link_id: str) -> Revoked:
    """Have a link open nothing from now on."""
    await run_in_threadpool(links.revoke, store, link_id)
    return Revoked(id=link_id)


@router.post("/shared/{token}/copy", dependencies=[Enabled], responses=error_responses(400, 401, 404, 429, 503))
async def copy(state: StateDep, store: OwnerStore, token: Token) -> Copied:
    """Copy what a link shows into a conversation of the caller's, to go on with; without documents."""
    link = await run_in_threadpool(links.find, state.database, token)
    return Copied(conversation_id=await run_in_threadpool(exchange.copy_shared, store, link))


@open_router.get(
    "/shared/{token}",
    dependencies=[Enabled],
    response_class=Response,  # none of its errors is HTML
    responses={200: {"content": PAGE}, **error_responses(400, 404, 503)},
)
async def read(
    state: StateDep,
    request: Request,
    token: Token,
    end: Annotated[int | None, Query(description="a message of another branch, where all are shown")] = None,
) -> Response:
    """What a link shows, as a page that runs and fetches nothing; nobody has to log in."""
    page = await run_in_threadpool(_read, state, token, end)
    return HTMLResponse(page, headers=HEADERS)


def _read(state: AppState, token: str, end: int | None) -> str:
    link: SharedLink = links.find(state.database, token)
    return exchange.render_shared(link, f"../?shared={token}", end)


def _fields(link: SharedLink) -> dict[str, object]:
    return {name: getattr(link, name) for name in Link.model_fields}
