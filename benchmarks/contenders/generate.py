"""transformers' `generate` with a streamer: what a model's card shows. One reply after the other."""

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.contenders import TEMPERATURE, TOP_K, TOP_P, Message, Task, ThreadedContender


def loaded(task: Task) -> tuple[Any, Any]:
    """Model in fp32, as our backend has it, and tokenizer."""
    import torch
    import transformers

    torch.set_num_threads(task.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.AutoModelForCausalLM.from_pretrained(task.path, dtype=torch.float32, local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(task.path, local_files_only=True)
    return model.eval(), tokenizer


def sampling(tokens: int) -> dict[str, Any]:
    """The options of `generate` for a reply of exactly so many tokens."""
    return {
        "do_sample": True,
        "temperature": TEMPERATURE,
        "top_k": TOP_K,
        "top_p": TOP_P,
        "repetition_penalty": 1.0,
        "min_new_tokens": tokens,
        "max_new_tokens": tokens,
    }


class GenerateContender(ThreadedContender):
    """`generate` in a thread, read through a streamer."""

    def __init__(self, task: Task) -> None:
        super().__init__(task, alone=True)
        self._model, self._tokenizer = loaded(task)
        self._computing = ThreadPoolExecutor(1)  # the same thread for all: a new one would get new computing threads

    def stream(self, messages: list[Message], tokens: int) -> Iterator[str]:
        """The reply as it comes."""
        inputs = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        future = self._computing.submit(self._generate, inputs, tokens, Streamer(self._tokenizer, texts))
        while (part := texts.get()) is not None:
            yield part
        future.result()

    def _generate(self, inputs: Any, tokens: int, streamer: "Streamer") -> None:
        try:
            self._model.generate(**inputs, **sampling(tokens), streamer=streamer)
        finally:
            streamer.texts.put(None)


class Streamer:
    """Each token's text at once: transformers' own holds a word back until the next one begins."""

    def __init__(self, tokenizer: Any, texts: "queue.SimpleQueue[str | None]") -> None:
        self._tokenizer, self.texts, self._prompt = tokenizer, texts, True

    def put(self, ids: Any) -> None:
        """The prompt, then a token a call."""
        if not self._prompt:
            self.texts.put(self._tokenizer.decode(ids.reshape(-1)))
        self._prompt = False

    def end(self) -> None:
        """Called when `generate` has ended; there is nothing left to do."""


def start(task: Task) -> GenerateContender:
    """The contender, its model folder loaded."""
    return GenerateContender(task)
