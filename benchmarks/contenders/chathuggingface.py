"""LangChain's stock `ChatHuggingFace` over a local pipeline, of langchain-huggingface."""

import importlib
from collections.abc import Iterator
from typing import Any

from benchmarks.contenders import Message, Task, ThreadedContender, to_langchain
from benchmarks.contenders.generate import loaded, sampling


class ChatHuggingFaceContender(ThreadedContender):
    """`stream` of it, in as many threads as there are chats."""

    def __init__(self, task: Task) -> None:
        import transformers

        stock = importlib.import_module("langchain_huggingface")  # only in the throw-away environment

        super().__init__(task, alone=False)
        model, tokenizer = loaded(task)
        pipeline = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device=-1)
        self._chat: Any = stock.ChatHuggingFace(llm=stock.HuggingFacePipeline(pipeline=pipeline), tokenizer=tokenizer)

    def stream(self, messages: list[Message], tokens: int) -> Iterator[str]:
        """The reply as it comes."""
        for chunk in self._chat.stream(to_langchain(messages), pipeline_kwargs=sampling(tokens)):
            yield chunk.text


def start(task: Task) -> ChatHuggingFaceContender:
    """The contender, its model folder loaded."""
    return ChatHuggingFaceContender(task)
