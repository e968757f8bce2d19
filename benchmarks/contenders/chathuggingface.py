"""LangChain's stock `ChatHuggingFace` over a local pipeline, of langchain-huggingface."""

import importlib
from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import Blocking, Message, Task, langchain
from benchmarks.contenders.generate import loaded, sampling


class Stock(Blocking):
    """`stream` of it, in as many threads as there are chats."""

    def __init__(self, task: Task) -> None:
        import transformers

        stock = importlib.import_module("langchain_huggingface")  # only in the throw-away environment

        super().__init__(task, alone=False)
        model, tokenizer = loaded(task)
        pipeline = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device=-1)
        self._chat: Any = stock.ChatHuggingFace(llm=stock.HuggingFacePipeline(pipeline=pipeline), tokenizer=tokenizer)

    def say(self, messages: list[Message], tokens: int) -> Iterator[str]:
        """The reply as it comes."""
        for chunk in self._chat.stream(langchain(messages), pipeline_kwargs=sampling(tokens)):
            yield chunk.text


def opened(task: Task) -> Stock:
    """Load the folder."""
    return Stock(task)
