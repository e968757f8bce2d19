"""A contender's own process: orders come as lines of JSON on stdin, answers go back on what was stdout.

Whatever fails ends the process; its last words are on stderr. Knows loads and clocks; nothing of rounds and tables.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.contenders import Contender, Message, Reply, Task, messages_of, start

KEPT = 6.0  # seconds after which what outlasts a process is in its file
WARM = 4  # tokens of a reply that is not measured
SHORT = 0.95  # of the tokens asked for must be there, else it is no measure of anything


async def wave(contender: Contender, talks: Sequence[list[Message]], tokens: int) -> dict[str, Any]:
    """All at once: seconds until the last has ended, tokens of all, and each one's seconds to its first text."""
    began = time.perf_counter()
    replies = await asyncio.gather(*(contender.ask(talk, tokens) for talk in talks))
    seconds = time.perf_counter() - began
    drawn = sum(reply.tokens for reply in replies)
    if drawn < SHORT * tokens * len(talks):
        raise ValueError(f"{drawn} tokens instead of {tokens * len(talks)}: the end of replies is not suppressed")
    return {"seconds": seconds, "tokens": drawn, "firsts": [reply.first for reply in replies]}


async def load(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Waves of as many chats as each has texts, after one that only warms up."""
    await contender.ready(len(order["warm"]))
    await asyncio.gather(*(contender.ask(messages_of(text), WARM) for text in order["warm"]))
    waves = [await wave(contender, [messages_of(text) for text in texts], order["tokens"]) for texts in order["waves"]]
    return {"waves": waves, "process": contender.process}


async def turn(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """First text of a prompt never seen, and of a second turn over a history that was answered just now."""
    await contender.ready(1)
    cold = await contender.ask(messages_of(order["cold"]), order["tokens"])
    talk = messages_of(order["history"])
    answer = await contender.ask(talk, order["tokens"])
    talk += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": order["follow"]}]
    second = await contender.ask(talk, order["tokens"])
    return {"cold": cold.first, "second": second.first}


async def first(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """When the first text of the first reply came, by time.monotonic(); `began` where it is another process's."""
    requested = time.monotonic()
    reply: Reply = await contender.ask(messages_of(order["text"]), order["tokens"])
    return {"at": requested + reply.first, "began": contender.began, "facts": contender.facts()}


async def talks(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Conversations that arrive one after the other: each one's seconds to the first text of every turn."""

    async def converse(talk: dict[str, Any], wait: float) -> list[Reply]:
        await asyncio.sleep(wait)
        messages, replies = [{"role": "system", "content": talk["system"]}], []
        for text in talk["messages"]:
            messages.append({"role": "user", "content": text})
            replies.append(await contender.ask(messages, order["tokens"]))
            messages.append({"role": "assistant", "content": replies[-1].text})
        return replies

    await contender.ready(len(order["talks"]))
    for talk in order["warm"]:
        await converse(talk, 0)
    began = time.perf_counter()
    found = await asyncio.gather(*(converse(talk, at * order["apart"]) for at, talk in enumerate(order["talks"])))
    seconds = time.perf_counter() - began
    tokens = sum(reply.tokens for replies in found for reply in replies)
    return {"seconds": seconds, "tokens": tokens, "firsts": [[one.first for one in replies] for replies in found]}


async def quote(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Seconds for a reply that nothing was said of before, and for one that says a text again."""
    await contender.ready(1)
    await contender.ask(messages_of(order["warm"]), order["tokens"])
    seconds: dict[str, Any] = {}
    for kind, text in (("free", order["free"]), ("quoted", order["text"])):
        began = time.perf_counter()
        reply = await contender.ask(messages_of(text), order["tokens"])
        seconds[kind] = time.perf_counter() - began - reply.first
        seconds[f"{kind} text"] = reply.text
    return {**seconds, "tokens": order["tokens"]}


async def history(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """The reply to a long message, which is kept for as long as anybody keeps it."""
    reply = await contender.ask(messages_of(order["history"]), order["tokens"])
    await asyncio.sleep(KEPT)
    return {"text": reply.text}


async def follow(contender: Contender, order: dict[str, Any]) -> dict[str, Any]:
    """Seconds to the first text of the turn after that, once the model is loaded."""
    await contender.ask(messages_of("Hello."), WARM)
    talk = [*messages_of(order["history"]), {"role": "assistant", "content": order["reply"]}]
    second = await contender.ask([*talk, {"role": "user", "content": order["follow"]}], order["tokens"])
    return {"first": second.first}


ORDERS = {
    "first": first, "load": load, "turn": turn, "talks": talks, "quote": quote, "history": history, "follow": follow
}  # fmt: skip


def main(argument: str) -> None:
    """Answer each order from stdin until it ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # some contenders abort
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    contender = start(Task(**json.loads(argument)))
    try:
        with asyncio.Runner() as runner:
            for line in sys.stdin:
                order = json.loads(line)
                answers.write(json.dumps(runner.run(ORDERS[order["do"]](contender, order))) + "\n")
    finally:
        contender.close()


if __name__ == "__main__":
    main(sys.argv[1])
