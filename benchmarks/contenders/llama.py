"""llama-cpp-python's own `Llama`: the usual way to stream from a GGUF file. It knows one chat at a time."""

from collections.abc import Iterator
from typing import Any

import llama_library
from benchmarks.contenders import TEMPERATURE, TOP_K, TOP_P, Message, Task, ThreadedContender
from benchmarks.contenders.chain import llama_build
from prompts.template import render

SAMPLING = {"temperature": TEMPERATURE, "top_k": TOP_K, "top_p": TOP_P, "min_p": 0.0, "repeat_penalty": 1.0}
BATCH = 512  # tokens: llama.cpp's default, and that of our engine
NEVER = -100.0  # added to a logit


class LlamaContender(ThreadedContender):
    """`create_completion` over a prompt that the file's own template has made."""

    def __init__(self, task: Task) -> None:
        from llama_cpp import Llama

        llama_library.load()
        super().__init__(task, alone=True)
        self._llm: Any = Llama(
            task.path,
            n_ctx=task.window,
            n_batch=BATCH,
            n_threads=task.threads,
            n_threads_batch=task.threads,
            flash_attn=True,
            verbose=False,
        )
        self._template = self._llm.metadata["tokenizer.chat_template"]
        self._bias = dict.fromkeys(task.ends, NEVER) or None  # a step in Python for each token: only where it is needed
        self._finish: str | None = None

    def stream(self, messages: list[Message], tokens: int) -> Iterator[str]:
        """The reply as it comes."""
        prompt = "".join(piece.text for piece in render(self._template, messages, ()).segments)
        for chunk in self._llm.create_completion(
            prompt, max_tokens=tokens, stream=True, logit_bias=self._bias, **SAMPLING
        ):
            self._finish = chunk["choices"][0]["finish_reason"]
            yield chunk["choices"][0]["text"]

    def count_tokens(self, parts: list[str], tokens: int) -> int:
        """All, or a chunk each where it ended by itself."""
        return tokens if self._finish == "length" else len(parts)

    def facts(self) -> dict[str, str]:
        """How llama.cpp is built."""
        return llama_build()


def start(task: Task) -> LlamaContender:
    """The contender, its GGUF file loaded."""
    return LlamaContender(task)
