"""Our backends through the full chain, made anew for each message as the page and the API do it."""

import hashlib
import os
import time
from importlib.metadata import version

import backends
import llama_library
from benchmarks.contenders import TEMPERATURE, TOP_K, TOP_P, Contender, Message, Reply, Task, to_langchain
from chains.assistant import build

SAMPLING = {
    "temperature": TEMPERATURE,
    "top_k": TOP_K,
    "top_p": TOP_P,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "ignore_eos": True,
}
DEFAULT_PLACES = 8  # places of our backends by default


class ChainContender(Contender):
    """`build`, over one backend. No seed: with one, nothing computed before is used again."""

    def __init__(self, backend: str) -> None:
        self._backend, self._settings = backend, backends.read_settings()

    async def ready(self, chats: int) -> None:
        """Load the backend anew where there are more chats than it has places by default."""
        if widen(self._backend, chats):
            backends.load(self._backend, self._settings)

    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """The reply, through a chain made inside the clock."""
        began, first, parts = time.perf_counter(), None, []
        system, *history, last = to_langchain(messages)
        options = {**SAMPLING, "max_tokens": tokens}
        talk = hashlib.sha256(messages[1]["content"].encode()).hexdigest()  # as if it were a kept conversation
        chain = build(self._settings, self._backend, system=system.text, options=options, conversation=talk)
        async for part in chain.astream({"history": history, "input": last.text}):
            if first is None and part:
                first = time.perf_counter() - began
            parts.append(part)
        if first is None:
            raise ValueError("a reply without any text")
        return Reply("".join(parts), first, tokens)

    def facts(self) -> dict[str, str]:
        """How llama.cpp is built, where that is what computes."""
        return llama_build() if self._backend == "llamacpp" else {}


def widen(backend: str, chats: int) -> bool:
    """Whether the backend must be loaded anew, for so many at once; if so, nothing of it is left."""
    name = f"{backend.upper()}_PARALLEL"
    if chats <= max(DEFAULT_PLACES, int(os.environ.get(name, DEFAULT_PLACES))):
        return False
    os.environ |= {name: str(chats), "LLAMACPP_KV_TOKENS": str(chats * int(os.environ["LLAMACPP_N_CTX"]))}
    backends.unload()
    return True


def llama_build() -> dict[str, str]:
    """Version and system info of the llama-cpp-python that is installed."""
    return {
        "build": f"llama-cpp-python {version('llama-cpp-python')}",
        "system_info": llama_library.load().llama_print_system_info().decode().strip(),
    }


def start(task: Task) -> ChainContender:
    """The backend that the contender's name begins with; it loads with its first reply."""
    return ChainContender(task.contender.partition("-")[0])
