"""Thinking that comes in blocks of a message's content: as LangChain's own classes for OpenAI and Anthropic have it."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from chains.assistant import build
from chains.no_answer import no_answer_cause
from chains.report import Report
from chains.thinking import thought
from settings import Settings
from tests.byte_server import ByteServer, stream

SUMMARY = "**Adding**\n\nTwo and two."
USAGE = {
    "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 25}, "total_tokens": 39,
}  # fmt: skip
PLACE = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
TEXT_PLACE = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": SUMMARY}]}
PART = {"type": "output_text", "text": "It is 4.", "annotations": []}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [PART]}
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5.1-codex", "status": "in_progress",
    "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
}  # fmt: skip
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": {**REASONING, "summary": []}},
    {"type": "response.reasoning_summary_part.added", **PLACE, "part": {"type": "summary_text", "text": ""}},
    {"type": "response.reasoning_summary_text.delta", **PLACE, "delta": "**Adding**\n\n"},
    {"type": "response.reasoning_summary_text.delta", **PLACE, "delta": "Two and two."},
    {"type": "response.reasoning_summary_text.done", **PLACE, "text": SUMMARY},
    {"type": "response.reasoning_summary_part.done", **PLACE, "part": REASONING["summary"][0]},
    {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
    {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": []}},
    {"type": "response.content_part.added", **TEXT_PLACE, "part": {**PART, "text": ""}},
    {"type": "response.output_text.delta", **TEXT_PLACE, "delta": "It is", "logprobs": []},
    {"type": "response.output_text.delta", **TEXT_PLACE, "delta": " 4.", "logprobs": []},
    {"type": "response.output_text.done", **TEXT_PLACE, "text": "It is 4.", "logprobs": []},
    {"type": "response.content_part.done", **TEXT_PLACE, "part": PART},
    {"type": "response.output_item.done", "output_index": 1, "item": MESSAGE},
    {"type": "response.completed", "response": {
        **RESPONSE, "status": "completed", "output": [REASONING, MESSAGE], "usage": USAGE}},
]  # fmt: skip


def as_event(value: dict[str, Any], number: int) -> str:
    return f"event: {value['type']}\ndata: {json.dumps({**value, 'sequence_number': number})}\n\n"


def test_a_summary_of_openais(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*(as_event(event, at) for at, event in enumerate(EVENTS)), done=False))
    report = Report()

    async def read() -> str:
        chain = build(Settings.read(), "openai:gpt-5.1-codex")
        parts = chain.astream({"history": [], "input": "hi"}, {"callbacks": [report]})
        return "".join([part async for part in parts])

    assert asyncio.run(read()) == "It is 4."
    assert byte_server.paths == ["/v1/responses"]
    assert report.thinking.text == SUMMARY
    assert (report.thinking_tokens, report.thinking.counted, report.completion_tokens) == (25, True, 30)
    assert report.thinking_ms is not None
    assert report.ttft_ms is not None
    assert report.thinking_ms <= report.ttft_ms


MESSAGES: dict[str, tuple[BaseMessage, str]] = {
    "beside the text": (AIMessage("4", additional_kwargs={"reasoning_content": "Hm."}), "Hm."),
    "Anthropic's": (
        AIMessageChunk(content=[{"type": "thinking", "thinking": "Hm.", "signature": "x", "index": 0}]),
        "Hm.",
    ),
    "Anthropic's, encrypted": (AIMessage([{"type": "redacted_thinking", "data": "x"}]), ""),
    "LangChain's own": (AIMessage([{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "4"}]), "Hm."),
    "OpenAI's, in two parts": (
        AIMessage([{"type": "reasoning", "summary": [{"type": "summary_text", "text": text} for text in ("a", "b")]}]),
        "a\n\nb",
    ),
    "OpenAI's, where the second part begins": (
        AIMessage([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "", "index": 1}]}]),
        "\n\n",
    ),
    "open models' at OpenAI's API": (
        AIMessage([{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}]),
        "Hm.",
    ),
    "a text": (AIMessage("<think>"), ""),
    "a tool's": (AIMessage([{"type": "tool_use", "id": "a", "name": "f", "input": {}}]), ""),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_what_a_message_holds_of_it(kind: str) -> None:
    message, told = MESSAGES[kind]
    assert thought(message) == told


async def test_blocks_without_a_text_are_no_first_word() -> None:
    """Anthropic's stream begins with a message without content, and ends its thinking with a signature."""
    report, run = Report(), uuid4()
    blocks: list[list[dict[str, Any]]] = [
        [],
        [{"type": "thinking", "thinking": "Hm.", "index": 0}],
        [{"type": "thinking", "thinking": "", "signature": "x", "index": 0}],
    ]
    for content in blocks:
        message = AIMessageChunk(content=list(content))
        await report.on_llm_new_token(content, run_id=run, chunk=ChatGenerationChunk(message=message))
    assert (report.thinking.text, report.ttft_ms, report.thinking.ended) == ("Hm.", None, None)


@pytest.mark.parametrize("reason", [{"stop_reason": "max_tokens"}, {"finish_reason": "length"}])
def test_what_was_cut_within_blocks_is_no_empty_reply(reason: dict[str, str]) -> None:
    blocks: list[Any] = [{"type": "thinking", "thinking": "Hm.", "index": 0}]
    cause = no_answer_cause([AIMessageChunk(content=blocks), AIMessageChunk(content=[], response_metadata=reason)])
    assert cause is not None
    assert "for thinking before an answer: raise MAX_TOKENS" in cause.sentence
