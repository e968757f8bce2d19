"""What a report tells of thinking, over a server that thinks by each of the names that servers have for it."""

from typing import Any

import pytest

from chains.report import Report
from chains.thinking import Thinking
from tests.byte_server import STOP, TEXT, ByteServer, ask_chain, chunk, delta, stream, words

SERVERS: dict[str, list[dict[str, Any]]] = {
    "DeepSeek, SGLang, llama-server": [delta(reasoning_content="Let me"), delta(reasoning_content=" see.")],
    "vLLM, OpenRouter, Groq": [delta(reasoning="Let me"), delta(reasoning=" see.")],
    "Ollama": [delta(thinking="Let me"), delta(thinking=" see.")],
    "Mistral": [
        delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Let me"}]}]),
        delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": " see."}]}]),
    ],
    "OpenRouter's details": [
        delta(content="", reasoning_details=[{"type": "reasoning.text", "text": "Let me", "index": 0}]),
        delta(
            content="",
            reasoning_details=[
                {"type": "reasoning.summary", "summary": " see.", "index": 1},
                {"type": "reasoning.encrypted", "data": "eyJ4IjoxfQ==", "index": 2},
            ],
        ),
    ],
    "inline marks": [chunk("<think>\nLet me"), chunk(" see.\n"), chunk("</think>\n\n")],
    "Anthropic's form": [
        delta(content=[{"type": "thinking", "thinking": "Let me"}]),
        delta(content=[{"type": "thinking", "thinking": " see."}]),
    ],
}


@pytest.mark.parametrize("server", SERVERS)
def test_thinking_stands_beside_the_text(byte_server: ByteServer, server: str) -> None:
    byte_server.answer(stream(*SERVERS[server], *words(), chunk(STOP)))
    text, report = ask_chain()
    assert text == TEXT
    assert report.thinking.text == "Let me see."
    assert report.thinking_tokens == 2
    assert not report.thinking.counted
    assert report.thinking_ms is not None
    assert report.ttft_ms is not None
    assert report.thinking_ms <= report.ttft_ms


def test_the_servers_own_count_of_thinking_is_taken(byte_server: ByteServer) -> None:
    usage = {
        "prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39,
        "completion_tokens_details": {"reasoning_tokens": 25},
    }  # fmt: skip
    byte_server.answer(stream(delta(reasoning_content="Let me see."), *words(), chunk(STOP, usage=usage)))
    report = ask_chain()[1]
    assert (report.thinking_tokens, report.thinking.counted, report.completion_tokens) == (25, True, 30)


def test_a_reply_without_thinking_has_none(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*words(), chunk(STOP)))
    report = ask_chain()[1]
    assert (report.thinking.text, report.thinking_tokens, report.thinking_ms) == ("", None, None)


def test_what_an_earlier_try_thought_is_counted_once() -> None:
    report = Report(Thinking.going_on("So.", 5, 2.0, inside=False))
    assert (report.thinking_tokens, report.thinking_ms, report.fresh_thinking) == (5, 2000.0, (0, 0.0))
    report.thinking.add("And so.", 3)
    report.thinking.end()
    tokens, seconds = report.fresh_thinking
    assert (report.thinking.text, report.thinking_tokens, tokens) == ("So.\n\nAnd so.", 8, 3)
    assert 0 <= seconds < 2
