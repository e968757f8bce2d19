"""Thinking at a server that answers as vLLM does, with a parser for it and without, scripted over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from backends.remote.beginnings import Beginnings
from chains.report import Report
from tests.backends.remote.conftest import Serve, ask
from tests.scripted import Scripted, sse

ROW = {"id": "m-1", "object": "model", "owned_by": "vllm", "max_model_len": 4096, "root": "m-1", "permission": []}
LIST = {"object": "list", "data": [ROW]}
THOUGHT, ANSWER = "Let me see.", "It is 4."
OPENED = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n"
CLOSED = OPENED + "\n</think>\n\n"
USAGE = {"prompt_tokens": 9, "total_tokens": 29, "completion_tokens": 20, "prompt_tokens_details": None}


def row(delta: dict[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk as vLLM sends it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish, "stop_reason": None,
              "token_ids": None}  # fmt: skip
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [choice],
            **fields}  # fmt: skip


def vllm(prompt: str, *deltas: dict[str, Any], finish: str = "stop") -> Callable[[Any], Response]:
    """A streamed reply, whose first chunk has the prompt where it is asked for."""

    def answer(sent: Any) -> Response:
        shown = {"prompt_text": prompt} if sent.get("return_prompt_text") else {}
        first = row({"role": "assistant", "content": ""}, prompt_token_ids=None, **shown)
        usage = {**row({}), "choices": [], "usage": USAGE}
        return sse([first, *(row(each) for each in deltas), row({"content": ""}, finish), usage])

    return answer


def said(text: str, size: int = 4) -> list[dict[str, Any]]:
    """A text, a few characters each."""
    return [{"content": text[at : at + size]} for at in range(0, len(text), size)]


@pytest.fixture(autouse=True)
def _new(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Beginnings()
    monkeypatch.setattr("backends.remote.normalizer.BEGINNINGS", fresh)
    monkeypatch.setattr("backends.remote.reasoning.BEGINNINGS", fresh)


async def both(server: Scripted) -> tuple[str, Report]:
    """The second of two replies, of which the first one's request alone asks for the prompt."""
    first, second = await ask(), await ask()
    assert first[0] == second[0]
    assert [body.get("return_prompt_text") for body in server.sent()] == [True, None]
    return second


REPLIES: dict[str, tuple[Callable[[Any], Response], tuple[str, str]]] = {
    "a parser": (vllm(OPENED, {"reasoning": "Let me"}, {"reasoning": " see."}, *said(ANSWER)), (ANSWER, THOUGHT)),
    "a parser of before": (vllm(OPENED, {"reasoning_content": THOUGHT}, *said(ANSWER)), (ANSWER, THOUGHT)),
    "a parser, nothing thought": (vllm(CLOSED, *said(ANSWER)), (ANSWER, "")),
    "none, opened by the template": (vllm(OPENED, *said(f"{THOUGHT}\n</think>\n\n{ANSWER}")), (ANSWER, THOUGHT)),
    "none, opened by the model": (
        vllm(OPENED.removesuffix("<think>\n"), *said(f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}")),
        (ANSWER, THOUGHT),
    ),
    "none, switched off": (vllm(CLOSED, *said(ANSWER)), (ANSWER, "")),
    "a mark in an answer": (vllm(CLOSED, *said("It writes <think>.")), ("It writes <think>.", "")),
}  # fmt: skip


@pytest.mark.parametrize("reply", REPLIES)
async def test_thinking_and_answer_are_told_apart(serve: Serve, reply: str) -> None:
    answer, told = REPLIES[reply]
    text, report = await both(serve({"/v1/models": LIST, "/v1/chat/completions": answer}))
    assert (text, report.thinking.text) == told
    assert report.completion_tokens == 20


async def test_what_was_cut_within_it_is_asked_for_once(serve: Serve) -> None:
    within = vllm(OPENED, *said(THOUGHT), finish="length")
    server = serve({"/v1/models": LIST, "/v1/chat/completions": within})
    with pytest.raises(Exception, match="used all of its 20 tokens for thinking before an answer: raise MAX_TOKENS"):
        await ask()
    assert server.count("/v1/chat/completions") == 1


async def test_each_way_to_switch_it_is_looked_at(serve: Serve) -> None:
    opened = vllm(OPENED, *said(f"{THOUGHT}\n</think>\n\n{ANSWER}"))
    closed = vllm(CLOSED, *said(ANSWER))

    def answer(sent: Any) -> Any:
        return closed if (sent.get("chat_template_kwargs") or {}).get("enable_thinking") is False else opened

    serve({"/v1/models": LIST, "/v1/chat/completions": answer})
    for enabled, told in ((True, THOUGHT), (False, ""), (True, THOUGHT)):
        text, report = await ask(chat_template_kwargs={"enable_thinking": enabled})
        assert (text, report.thinking.text) == (ANSWER, told)
