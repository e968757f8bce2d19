"""The loop of a model that may call tools: it answers, its calls are carried out, and it goes on with their results.

Knows messages and the chain before the parser; nothing of what the tools are, nor of who permits a call.
"""

import json
from collections.abc import AsyncIterator, Sequence
from functools import reduce
from operator import add
from typing import Any, NamedTuple, Protocol

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall
from langchain_core.runnables import Runnable, RunnableConfig, RunnablePassthrough
from langchain_core.tools import BaseTool

from chains.thinking import BLOCKS, kept, thought

Inputs = dict[str, Any]
INVALID = "__invalid__"  # the one argument of a call whose arguments nobody could read
THOUGHT_BLOCKS = (*BLOCKS, "redacted_thinking")  # of a content, which its provider wants back
PARAGRAPH = "\n\n"  # between what a model says before a call and after it
LIMIT_NOTE = "*The limit of {} rounds of tool calls for one reply is reached (TOOLS_ROUNDS).*"


class Calls(Protocol):
    """What carries out calls: it permits them, runs them, and writes down what became of them."""

    async def carry_out(self, said: AIMessage) -> list[BaseMessage]:
        """The results of all calls of an answer, in order. Raises what ends the reply here, as to ask a person."""


class Toolbox(NamedTuple):
    """The tools that a model may call, what carries the calls out, and how often it may call in one reply."""

    tools: Sequence[BaseTool]
    calls: Calls
    rounds: int


class Agent(Runnable[Inputs, str]):
    """The inputs of `chains.assistant.prompt` to the text of a reply, for which tools may be called.

    `prepare` adds to the inputs once, `chain` is `prompt | model`, and `partial` in the inputs is what the reply has
    said and called so far. `rounds`: how often the model may call tools in one reply.
    """

    def __init__(
        self,
        chain: Runnable[Inputs, AIMessage],
        calls: Calls,
        rounds: int,
        prepare: Runnable[Inputs, Inputs] | None = None,
    ) -> None:
        self.chain, self.calls, self.rounds = chain, calls, rounds
        self.prepare: Runnable[Inputs, Inputs] = prepare or RunnablePassthrough()

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> str:
        """Raises NotImplementedError: tools are carried out in an event loop."""
        raise NotImplementedError("Tools are called in an event loop: use ainvoke or astream.")

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> str:
        """The whole text."""
        return "".join([part async for part in self.astream(input, config)])

    async def astream(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[str]:
        """The text as it comes; cancelling the task stops the model within one token, and the tools that run."""
        inputs = await self.prepare.ainvoke(input, config)
        steps: list[BaseMessage] = list(inputs.get("partial") or [])
        has_said = any(message.type == "ai" and message.text for message in steps)
        left = self.rounds - sum(bool(getattr(message, "tool_calls", None)) for message in steps)
        while True:
            # 1. The model's answer; its calls are gathered, its text streams on.
            chunks: list[AIMessageChunk] = []
            is_new = not steps or steps[-1].type == "tool"  # else it goes on in the middle of a text
            async for chunk in self.chain.astream({**inputs, "partial": steps}, config):
                assert isinstance(chunk, AIMessageChunk)
                if chunk.text and has_said and is_new and not any(before.text for before in chunks):
                    yield PARAGRAPH
                chunks.append(chunk)
                if chunk.text:
                    yield str(chunk.text)
            said = gather(chunks)
            has_said = has_said or bool(said.text)
            if not said.tool_calls:
                return
            # 2. A limit, so that a model that only calls comes to an end.
            if left <= 0:
                yield (PARAGRAPH if has_said else "") + LIMIT_NOTE.format(self.rounds)
                return
            left -= 1
            # 3. The results, with which it goes on.
            steps = [*join_partial(steps, said), *await self.calls.carry_out(said)]


def gather(chunks: list[AIMessageChunk]) -> AIMessage:
    """A whole answer of its chunks. A call without an id gets one, since its result has to name it."""
    if not chunks:
        return AIMessage("")
    whole = reduce(add, chunks)
    calls = [
        ToolCall(name=call["name"] or "", args=_arguments(call["args"] or ""), id=call["id"] or f"call_{number}")
        for number, call in enumerate(whole.tool_call_chunks)
    ]
    return AIMessage(_content(whole), tool_calls=calls, additional_kwargs=kept(thought(whole)))


def _content(whole: AIMessageChunk) -> Any:
    """The text, behind blocks of thinking where a provider gave it in such: signed, it wants them back with a call."""
    blocks = whole.content if isinstance(whole.content, list) else []
    thinking = [block for block in blocks if isinstance(block, dict) and block.get("type") in THOUGHT_BLOCKS]
    said = [{"type": "text", "text": str(whole.text)}] if whole.text else []
    return [*thinking, *said] if thinking else str(whole.text)


def _arguments(written: str) -> dict[str, Any]:
    """The arguments of a call, or under INVALID what is no JSON object. LangChain's own reader completes what was cut
    short: a call would be carried out with a part of what the model meant.
    """
    try:
        arguments = json.loads(written or "{}")
    except ValueError:
        arguments = None
    return arguments if isinstance(arguments, dict) else {INVALID: written}


def join_partial(steps: list[BaseMessage], said: AIMessage) -> list[BaseMessage]:
    """The steps with an answer, which is one message with the text that it went on with."""
    if steps and steps[-1].type == "ai" and not getattr(steps[-1], "tool_calls", None):
        beside = kept("\n\n".join(filter(None, (thought(steps[-1]), thought(said)))))
        whole = AIMessage(f"{steps[-1].text}{said.text}", tool_calls=said.tool_calls, additional_kwargs=beside)
        return [*steps[:-1], whole]
    return [*steps, said]
