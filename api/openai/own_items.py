"""Calls of this server's own tools as items of a response: asked about, carried out, and answered by a person.

Knows calls as they are kept; no route and no reply.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from conversations.store import CallStatus, ToolCall

OPEN = (CallStatus.WAITING, CallStatus.APPROVED, CallStatus.RUNNING)


class ApprovalRequest(BaseModel):
    """A call that waits for a person's answer: an item `mcp_approval_response` with this id, in the next response."""

    id: str
    type: Literal["mcp_approval_request"] = "mcp_approval_request"
    server_label: str
    name: str
    arguments: str


class OwnCall(BaseModel):
    """A call that is over, with what the tool answered, or why it did not."""

    id: str
    type: Literal["mcp_call"] = "mcp_call"
    status: Literal["completed", "failed"]
    server_label: str
    name: str
    arguments: str
    output: str | None
    error: str | None
    approval_request_id: str | None = None


def request_id(response_id: str, number: int) -> str:
    """The id under which a response asks about a call: who does not know the response does not guess it."""
    return f"mcpr_{hashlib.sha256(f'{response_id}:{number}'.encode()).hexdigest()[:32]}"


def to_item(response_id: str, call: ToolCall, asked: Mapping[int, str]) -> ApprovalRequest | OwnCall | None:
    """The item of a call, None for one that is about to run; `asked` are ids under which calls were asked about."""
    told: dict[str, Any] = {"server_label": call.origin, "name": call.name, "arguments": call.arguments}
    identity = request_id(response_id, call.id)
    if call.waiting:
        return ApprovalRequest(id=identity, **told)
    if call.status in OPEN:
        return None
    is_done = call.status == CallStatus.DONE
    return OwnCall(
        id=identity.replace("mcpr_", "mcp_"),
        status="completed" if is_done else "failed",
        output=call.result if is_done else None,
        error=None if is_done else call.result,
        approval_request_id=asked.get(call.id),
        **told,
    )
