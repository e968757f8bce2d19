"""Servers that read less than they were sent, and say nothing of it: who is told, and that nobody is told wrongly."""

import logging
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from backends.remote.estimate import estimate_tokens
from tests.backends.remote.conftest import Serve, ask, client
from tests.scripted import chat, chunk, sse

ROOT = Path(__file__).resolve().parents[3]
PROSE = (ROOT / "docs" / "guarantees.md").read_text()[:6000]
LONG = "The lamp stands at the window, and nobody has lit it for many years now. " * 434  # about 7,900 tokens
SAYS = "The server read 2,050 of about 7,9"


async def test_the_report_says_so(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    serve({"/v1/chat/completions": chat("Fine", usage=(2050, 5))})
    with caplog.at_level(logging.WARNING, "backends"):
        _, report = await ask(LONG)
    assert report.notice is not None
    assert report.notice.startswith(SAYS)
    assert "its window is smaller" in report.notice
    assert "OPENAI_N_CTX" in report.notice
    assert report.summary()["notice"] == report.notice
    assert SAYS in caplog.text
    assert "lamp" not in caplog.text


async def test_a_reply_that_is_not_streamed_says_it_too(serve: Serve) -> None:
    serve({"/v1/chat/completions": chat("Fine", usage=(2050, 5))})
    assert (await client().ainvoke(LONG)).response_metadata["notice"].startswith(SAYS)
    assert client().invoke(LONG).response_metadata["notice"].startswith(SAYS)


async def test_the_window_is_asked_for_anew_after_it(serve: Serve) -> None:
    """Ollama, whose model was loaded with less than it told before."""
    loaded = {"name": "m-1", "model": "m-1", "context_length": 16384}
    server = serve(
        {"/api/ps": lambda _: {"models": [loaded]}, "/v1/chat/completions": chat("Fine", usage=(2050, 5))},
        OPENAI_MODEL="m-1",
    )
    assert (await ask(LONG))[1].notice
    loaded["context_length"] = 2048
    assert (await ask())[1].window == 2048
    assert server.count("/api/ps") == 2


async def test_usage_in_every_chunk_says_it_once(serve: Serve) -> None:
    usage = {"prompt_tokens": 2050, "completion_tokens": 5, "total_tokens": 2055}
    rows = [{**chunk({"content": word}), "usage": usage} for word in ("Fine", " day")]
    serve({"/v1/chat/completions": lambda _: sse([*rows, {**chunk({}, finish="stop"), "usage": usage}])})
    _, report = await ask(LONG)
    assert report.notice is not None
    assert report.notice.count("The server read") == 1


TEXTS = {
    "prose": PROSE,
    "prose of the same words": LONG,
    "long words": "sentence " * 3000,
    "code": (ROOT / "chains" / "window.py").read_text(),
    "numbers": "2024 1234567 12.5\n" * 500,
    "Chinese": "今天天气很好，我们一起去公园散步吧。" * 200,
    "Russian": "Сегодня хорошая погода, и мы пойдём гулять в парк. " * 200,
    "white space and lines": ("word" + " " * 60 + "\n" * 20 + "=" * 80) * 300,
    "one letter": "a" * 20000,
    "markup": "<td class='x'></td>" * 1000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("share", [1.0, 0.8])
async def test_no_tokenizer_is_taken_for_it(serve: Serve, text: str, share: float) -> None:
    """Counted by the small model's own tokenizer, and by one that needs a fifth less."""
    from tokenizers import Tokenizer

    read = len(Tokenizer.from_file(str(ROOT / "models" / "default" / "tokenizer.json")).encode(text).ids)
    serve({"/v1/chat/completions": chat("Fine", usage=(max(1, int(read * share)), 5))})
    assert (await ask(text))[1].notice is None


@pytest.mark.parametrize(
    ("text", "usage"),
    [
        ("hi", (1, 5)),  # a small prompt, of which a server may count what it likes
        ("word " * 400, (5, 5)),
        (LONG, None),
        (LONG, (0, 5)),  # not told
    ],
)
async def test_nothing_is_said_without_a_reason(serve: Serve, text: str, usage: Any) -> None:
    serve({"/v1/chat/completions": chat("Fine", usage=usage)})
    assert (await ask(text))[1].notice is None


async def test_a_server_that_tells_only_what_was_new_has_no_smaller_window(serve: Serve) -> None:
    """As old Ollama and others do where the beginning of a prompt is in their cache."""
    server = serve({"/v1/chat/completions": chat("Fine", usage=(8000, 5))})
    assert (await ask(LONG))[1].notice is None
    server.answers["/v1/chat/completions"] = chat("Fine", usage=(40, 5))
    _, report = await ask("and now?", history=[HumanMessage(LONG), AIMessage("Fine")])
    assert report.notice is None


async def test_a_picture_is_not_taken_for_text(serve: Serve) -> None:
    serve({"/v1/chat/completions": chat("Fine", usage=(800, 5))})
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    message = HumanMessage([{"type": "text", "text": "what is this?"}, picture])
    assert "notice" not in (await client().ainvoke([message])).response_metadata


def test_the_number_is_the_estimate() -> None:
    assert 7_900 <= estimate_tokens([HumanMessage(LONG)]) < 8_000
