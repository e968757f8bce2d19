"""Conversations as tests need them."""

import json
from pathlib import Path
from typing import Any

from conversations.exchange import json_chunks

FIXTURES = Path(__file__).with_name("fixtures")
PERSONA = {"slug": "beekeeper", "name": "Ada", "description": "keeps bees", "sentences": ["I have bees.", "I am 70."]}


def message(number: int, parent: int | None = None, role: str = "user", **fields: Any) -> dict[str, Any]:
    """One message."""
    return {
        "number": number,
        "parent": parent,
        "role": role,
        "text": f"text {number}",
        "created": 100.0 + number,
    } | fields


def full() -> dict[str, Any]:
    """A conversation where every field has a value that is not its default."""
    thumb = {"value": -1, "comment": "too long", "created": 200.5}
    summary = {
        "messages": 2,
        "text": "They met.",
        "created": 300.1,
        "backend": "openai",
        "model": "m",
        "prompt_tokens": 50,
        "completion_tokens": 5,
        "duration_ms": 12.5,
    }
    call = {
        "step": 1,
        "position": 5,
        "thought": 7,
        "call_id": "call_0",
        "name": "read_page",
        "origin": "own",
        "arguments": '{"url": "http://127.0.0.1/"}',
        "result": "It is closed.",
        "status": "done",
        "asked": 200.25,
        "decided": 200.5,
        "finished": 201.0,
        "decided_by": "page",
    }
    reply = message(
        1,
        0,
        "assistant",
        text="Hello\n\tworld 👩‍👩‍👧 שלום",
        state="stopped",
        backend="openai",
        model="m",
        prompt_tokens=7,
        completion_tokens=6,
        counted=True,
        estimated=True,
        ttft_ms=0.1,
        thinking="First <b>this</b>,\n\nthen that.",
        thinking_tokens=9,
        thinking_ms=1200.5,
        duration_ms=1 / 3,
        tokens_per_second=1e-7,
        stop_reason="length",
        retries=2,
        error="why",
        window=2048,
        dropped=4,
        extra={"z": [1, 1.0, None], "a": {"b": "ü"}},
        feedback=thumb,
        summaries=[summary, {**summary, "text": "They met again."}],
        calls=[call],
    )
    return {
        "id": "Ab_-9",
        "kind": "compare",
        "title": "Ünïcode",
        "created": 1700000000.123456,
        "updated": 1700000001.5,
        "pinned": True,
        "whole": True,
        "reasoning_effort": "low",
        "system": "Be kind.",
        "persona": PERSONA,
        "extra": {"source": "elsewhere"},
        "head": 1,
        "messages": [
            message(0, extra={"attachments": [{"kind": "image", "name": "cat.png"}]}),
            reply,
            message(2, 0, "assistant", state="failed"),
            message(3, None, "system"),
            message(4, 3, "tool"),
        ],
    }


def chain(count: int, **fields: Any) -> dict[str, Any]:
    """Question and reply in turns, each below the one before."""
    roles = ("user", "assistant")
    messages = [message(n, n - 1 if n else None, roles[n % 2]) for n in range(count)]
    return {"created": 1.0, "updated": 2.0, "messages": messages} | fields


def document(*conversations: dict[str, Any]) -> bytes:
    """A file of ours."""
    return "".join(json_chunks(conversations)).encode()


def node(parent: str | None, text: Any = "hi", role: str = "user", **fields: Any) -> dict[str, Any]:
    """A node of ChatGPT's."""
    said = {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}}
    return {"message": said, "parent": parent, "children": []} | fields


def chatgpt(mapping: Any, **fields: Any) -> bytes:
    """A file of ChatGPT's with one conversation."""
    return json.dumps([{"title": "t", "create_time": 5.0, "mapping": mapping} | fields]).encode()
