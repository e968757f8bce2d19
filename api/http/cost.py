"""What a caller is charged: a request is counted before it is answered, and its replies' tokens when they have ended.

The caller travels with the context in which a reply is begun, so every face of the API is charged alike and the page
is not. Knows limits and replies; no route.
"""

from contextvars import ContextVar

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from api.http.auth import CurrentPrincipal
from api.http.context import request_context
from api.http.limits import Limits
from api.http.state import AppState, StateDep
from conversations.replies import Reply
from conversations.store import State

_payer: ContextVar[tuple[Limits, str] | None] = ContextVar("payer", default=None)
CHARACTERS_PER_TOKEN = 4  # of a prompt that nobody counted, to a token


async def count_request(request: Request, state: AppState, name: str) -> None:
    """Count one request of caller `name`, who pays for its replies. Raises ApiError 429; 503 without the counts."""
    request_context(request.scope).caller = name
    if state.limits.requests is None and state.limits.tokens is None:
        return
    result = await run_in_threadpool(state.limits.hit, name)
    request_context(request.scope).headers.update(result.headers)
    if result.error is not None:
        raise result.error
    _payer.set((state.limits, name))


async def _count_request(request: Request, state: StateDep, principal: CurrentPrincipal) -> None:
    if request.method == "POST":
        await count_request(request, state, principal.name)


rate_limited = Depends(_count_request)  # the dependency of routes that make replies


def charge(reply: Reply) -> None:
    """A listener of replies: charges the ended one to who pays in the context where it began."""
    payer = _payer.get()
    if payer is not None:
        limits, name = payer
        limits.charge(name, token_cost(reply))


def charge_tokens(tokens: int) -> None:
    """Charge tokens that were read for no reply to who pays in this context."""
    payer = _payer.get()
    if payer is not None:
        limits, name = payer
        limits.charge(name, tokens)


def token_cost(reply: Reply) -> int:
    """Prompt and completion tokens of a reply; 0 for one that failed, or still waited, before its first token."""
    report = reply.report
    if not report.pieces and (reply.state == State.FAILED or report.queue_position is not None):
        return 0
    prompt = report.prompt_tokens
    if prompt is None:
        prompt = -(-sum(len(message.text) for message in report.messages) // CHARACTERS_PER_TOKEN)
    return prompt + (report.completion_tokens or 0) + report.read_before + report.written_before
