"""`POST /v1/responses/{id}/answer-now`: a response that is being made ends its thinking, and answers.

Knows the replies that this process makes for a caller; no form of an answer.
"""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.http.auth import OwnerStore
from api.http.errors import ApiError, error_responses
from api.http.state import StateDep
from conversations.replies import watch
from conversations.store import MessageError, NotFoundError

router = APIRouter(prefix="/v1", tags=["OpenAI"])


class RunningResponse(BaseModel):
    """A response that goes on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "resp_Yk3", "object": "response", "status": "in_progress"}]}
    )

    id: str
    object: Literal["response"] = "response"
    status: Literal["in_progress"] = "in_progress"


@router.post("/responses/{response_id}/answer-now", responses=error_responses(401, 404, 409, 429))
def answer_now(state: StateDep, store: OwnerStore, response_id: str) -> RunningResponse:
    """End the thinking of a response that is being streamed within one token; the answer follows in its stream.

    The id is that of its first event. Only the process that makes the response can be asked, and only for a model of
    its own: 409 says where the response answers already, or a server thinks.
    """
    reply = state.replies.get((store.owner, response_id))
    if reply is None or not reply.running:
        raise NotFoundError(f"Response with id '{response_id}' is not being made here.")
    try:
        watch.end_thinking(reply)
    except MessageError as error:
        raise ApiError(409, str(error), code="not_thinking") from error
    return RunningResponse(id=response_id)
