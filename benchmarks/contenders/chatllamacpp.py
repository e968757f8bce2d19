"""LangChain's stock `ChatLlamaCpp`, of langchain-community. It has no lock: what several at once do to it is tried."""

import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import llama_library
from benchmarks.contenders import TEMPERATURE, TOP_K, TOP_P, Message, Task, ThreadedContender, to_langchain
from benchmarks.contenders.llama import BATCH, NEVER


class ChatLlamaCppContender(ThreadedContender):
    """The stock model's `stream`, several at once where several are asked for."""

    def __init__(self, task: Task) -> None:
        llama_library.load()
        super().__init__(task, alone=False)
        with warnings.catch_warnings(action="ignore"):
            stock = importlib.import_module("langchain_community.chat_models")  # only in the throw-away environment
        self._chat: Any = stock.ChatLlamaCpp(
            model_path=task.path,
            n_ctx=task.window,
            n_batch=BATCH,
            n_threads=task.threads,
            temperature=TEMPERATURE,
            top_k=TOP_K,
            top_p=TOP_P,
            repeat_penalty=1.0,
            verbose=False,
            model_kwargs={"flash_attn": True, "n_threads_batch": task.threads},
        )
        self._finish: str | None = None
        self._options: dict[str, Any] = {"min_p": 0.0}
        if task.ends:
            self._options["logit_bias"] = dict.fromkeys(task.ends, NEVER)

    def stream(self, messages: list[Message], tokens: int) -> Iterator[str]:
        """The reply as it comes."""
        for chunk in self._chat.stream(to_langchain(messages), max_tokens=tokens, **self._options):
            self._finish = chunk.response_metadata.get("finish_reason", self._finish)
            yield chunk.text

    def count_tokens(self, parts: list[str], tokens: int) -> int:
        """All, or a chunk of text each where it ended by itself: it counts nothing."""
        return tokens if self._finish == "length" else len(list(filter(None, parts)))


def start(task: Task) -> ChatLlamaCppContender:
    """The contender, its GGUF file loaded."""
    return ChatLlamaCppContender(task)
