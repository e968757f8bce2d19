"""What counts as a prompt that is too long: by code, by any wording, with any status and in a stream."""

from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError, ModelError, ModelRateLimitError
from starlette.responses import JSONResponse, Response

import backends
from backends.remote.overflow import stated_window
from settings import Settings
from tests.backends.remote.conftest import Serve, ask
from tests.backends.remote.overflows import LOOK_ALIKES, OVERFLOWS
from tests.scripted import Scripted, chunk, sse

CHAT = "/v1/chat/completions"


@pytest.fixture
def server(serve: Serve) -> Scripted:
    """A server whose window is set, so that it is not asked for it."""
    return serve(OPENAI_MODEL="m-1", OPENAI_N_CTX="100000")


def answer(status: int, body: Any) -> Response:
    return Response(body, status, media_type="text/plain") if isinstance(body, str) else JSONResponse(body, status)


@pytest.mark.parametrize(("name", "status", "body", "window"), OVERFLOWS, ids=[case[0] for case in OVERFLOWS])
async def test_an_overflow_is_one_by_any_wording_and_asked_once(
    server: Scripted, name: str, status: int, body: Any, window: int | None
) -> None:
    server.answers[CHAT] = answer(status, body)
    with pytest.raises(ContextOverflowError, match=r"Shorten the message, or set OPENAI_N_CTX") as caught:
        await ask()
    assert server.count(CHAT) == 1
    assert server.url in str(caught.value)
    assert isinstance(caught.value.__cause__, Exception)
    assert stated_window(caught.value.__cause__) == window


@pytest.mark.parametrize(
    ("name", "status", "body", "kind"), LOOK_ALIKES, ids=[f"not-{case[0]}" for case in LOOK_ALIKES]
)
async def test_what_only_sounds_like_one_is_none(
    server: Scripted, name: str, status: int, body: Any, kind: type[ModelError]
) -> None:
    server.answers[CHAT] = answer(status, body)
    model = backends.load("openai", Settings.read())
    with pytest.raises(kind) as caught:
        [chunk async for chunk in model.astream("hi")]
    assert not isinstance(caught.value, ContextOverflowError)


STREAMED = [case for case in OVERFLOWS if isinstance(case[2], dict) and isinstance(case[2].get("error"), dict)]


@pytest.mark.parametrize(("name", "status", "body", "window"), STREAMED, ids=[case[0] for case in STREAMED])
async def test_an_overflow_in_a_stream_is_one(
    server: Scripted, name: str, status: int, body: Any, window: int | None
) -> None:
    server.answers[CHAT] = sse([chunk({"role": "assistant", "content": ""}), body])
    with pytest.raises(ContextOverflowError, match="OPENAI_N_CTX"):
        await ask()
    assert server.count(CHAT) == 1


async def test_a_request_above_a_minutes_tokens_is_not_sent_again(server: Scripted) -> None:
    server.answers[CHAT] = answer(*LOOK_ALIKES[0][1:3])
    with pytest.raises(ModelRateLimitError, match="Shorten the message, or raise the account's limit"):
        await ask()
    assert server.count(CHAT) == 1
