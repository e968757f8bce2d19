"""Who is measured: each contender is a line of `CONTENDERS` and a module here with `start(task) -> Contender`.

A module is imported by the contender's own process alone, so that nobody loads another's libraries. Knows how one
reply is asked for and when its first text comes; nothing of rounds, loads and tables.
"""

import asyncio
import importlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from prompts.system import system_prompt

Message = dict[str, str]  # role and content
TEMPERATURE = float(os.environ.get("BENCHMARKS_TEMPERATURE", "0.8"))
TOP_K, TOP_P = 40, 0.95  # everybody's, without penalties


@dataclass(frozen=True)
class Task:
    """A model for one contender: `path` is its GGUF file or its folder, `ends` the ids that would end a reply.

    `window`: tokens of one chat; `chats`: the most at once. `ends` is empty where they are as good as never drawn.
    """

    contender: str
    path: str
    threads: int
    window: int
    chats: int
    ends: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reply:
    """`first`: seconds from the request to the first text; `tokens`: how many were drawn."""

    text: str
    first: float
    tokens: int


class Contender(ABC):
    """Something that is loaded and answers chats. `process` is whose memory counts, `began` when it was started."""

    process: int = os.getpid()
    began: float | None = None  # by time.monotonic(); None where it is this very process

    @abstractmethod
    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """One reply of so many tokens. Several may be asked for at once."""

    async def ready(self, chats: int) -> None:  # noqa: B027 (most have nothing to do)
        """Prepare for so many chats at once; not timed."""

    def facts(self) -> dict[str, str]:
        """What it is built with."""
        return {}

    def close(self) -> None:  # noqa: B027 (the end of the process is enough for most)
        """End what would outlive this process."""


class ThreadedContender(Contender):
    """One that answers in the thread that asks; with `alone` there is one thread, and the others wait their turn."""

    def __init__(self, task: Task, *, alone: bool) -> None:
        self.task = task
        # Each thread that computes gets computing threads of its own from OpenMP: one that goes alone needs just one.
        self._threads = ThreadPoolExecutor(1 if alone else task.chats)

    @abstractmethod
    def stream(self, messages: list[Message], tokens: int) -> Iterator[str]:
        """The reply's text as it comes; returns how many tokens were drawn."""

    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """One reply, in a thread of its own."""
        began = time.perf_counter()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._complete, began, messages, tokens)

    def _complete(self, began: float, messages: list[Message], tokens: int) -> Reply:
        first, parts = None, []
        for part in self.stream(messages, tokens):
            if first is None and part:
                first = time.perf_counter() - began
            parts.append(part)
        if first is None:
            raise ValueError("a reply without any text")
        return Reply("".join(parts), first, self.count_tokens(parts, tokens))

    def count_tokens(self, parts: list[str], tokens: int) -> int:
        """How many tokens a reply has, of those asked for."""
        return tokens


@dataclass(frozen=True)
class Entry:
    """A line of the table: `module` here, the `form` of the model, whether it needs the throw-away environment."""

    module: str
    about: str
    form: str = "gguf"
    stock: bool = False
    needs: str = ""  # a variable


CONTENDERS = {
    "llamacpp-chain": Entry("chain", "our llamacpp backend through the full chain"),
    "llamacpp-engine": Entry("engine", "the engine of our llamacpp backend alone"),
    "llama-server": Entry("server", "llama.cpp's own server over HTTP", needs="LLAMA_SERVER_BIN"),
    "llama-cpp-python": Entry("llama", "`llama_cpp.Llama` alone, one reply after the other"),
    "ChatLlamaCpp": Entry("chatllamacpp", "LangChain's stock llama.cpp model", stock=True),
    "gpt2-chain": Entry("chain", "our gpt2 backend through the full chain", "folder"),
    "gpt2-engine": Entry("engine", "the engine of our gpt2 backend alone", "folder"),
    "ChatHuggingFace": Entry("chathuggingface", "LangChain's stock transformers model", "folder", stock=True),
    "generate": Entry("generate", "transformers' `generate` alone, one reply after the other", "folder"),
}


def start(task: Task) -> Contender:
    """The contender that a task names, loaded. Raises whatever its library does."""
    module = importlib.import_module(f"{__name__}.{CONTENDERS[task.contender].module}")
    contender: Contender = module.start(task)
    return contender


def messages_of(text: str) -> list[Message]:
    """How a conversation begins: with the app's own system prompt, which all of them share, and a message."""
    return [{"role": "system", "content": system_prompt()}, {"role": "user", "content": text}]


def to_langchain(messages: list[Message]) -> list[Any]:
    """LangChain's messages for these."""
    from langchain_core.messages import convert_to_messages

    return list(convert_to_messages(messages))
