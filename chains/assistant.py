"""The chain: `prompt | model | StrOutputParser()`, and `{"context": retriever} | prompt | model | StrOutputParser()`.

Stateless; knows no conversation, no page and no backend by name.
"""

from collections.abc import AsyncIterator, Mapping
from operator import itemgetter
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough

from chains.fallback import FallbackModel
from chains.passages import attach_to_question, question_message, question_text
from prompts.summary import introduce
from prompts.system import system_prompt
from settings import Settings

Inputs = dict[str, Any]
Retriever = Runnable[str, list[Document]]
MESSAGES_PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("messages")]
)  # made once: it costs more than a token


class Parser(StrOutputParser):
    """LangChain's own hands each chunk to another thread, for parsers that take long: here that costs a token each."""

    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[str]:
        async for chunk in input:
            made = ChatGeneration(message=chunk) if isinstance(chunk, BaseMessage) else Generation(text=chunk)
            yield self.parse_result([made])


def prompt(system: str, last: Any = ("human", "{input}")) -> ChatPromptTemplate:
    """`{"history": [messages], "input": str}` to messages; `partial: [AIMessage]` has the reply go on with that.

    `asked` is the last message where it is not the input as it stands.
    """
    before = [("system", "{system}")] if system else []
    partial = MessagesPlaceholder("partial", optional=True)
    return ChatPromptTemplate.from_messages([*before, MessagesPlaceholder("history"), last, partial]).partial(
        system=system
    )


def instructions(settings: Settings, system: str | None = None, summary: str | None = None) -> str:
    """What stands before the messages: `system`, else the usual one, and what the first messages were summed up to."""
    chosen = system_prompt(settings.system_prompt if system is None else system)
    return "\n\n".join(filter(None, [chosen, None if summary is None else introduce(summary)]))


def assistant(model: Runnable[LanguageModelInput, AIMessage], system: str) -> Runnable[Inputs, str]:
    """The inputs of `prompt` to the reply's text."""
    return prompt(system) | model | Parser()


def retrieval_assistant(
    model: Runnable[LanguageModelInput, AIMessage], system: str, retriever: Retriever
) -> Runnable[Inputs, str]:
    """The same inputs to the text of a reply that reads what the retriever finds for the newest of them."""
    context = RunnablePassthrough.assign(context=itemgetter("input") | retriever)
    asked = RunnablePassthrough.assign(question=RunnableLambda(question_message))
    return context | asked | prompt(system, MessagesPlaceholder("question")) | model | Parser()


def completion(model: Runnable[LanguageModelInput, AIMessage]) -> Runnable[Inputs, str]:
    """`{"input": str}` to the text that continues it: no system prompt, no template."""
    plain = ChatPromptTemplate.from_messages([("human", "{input}")])
    return plain | model | Parser()


def build_verbatim(
    settings: Settings, backend: str, options: Mapping[str, Any] | None = None, retriever: Retriever | None = None
) -> Runnable[Inputs, str]:
    """`{"messages": [messages]}` to the reply's text: no system prompt of ours, no turn dropped, no other backend.

    The one thing that is added are passages, where somebody gives a retriever of them.
    """
    alone = settings.model_copy(update={"llm_fallback": ()})
    answer = FallbackModel(alone, backend, options or {}, strict=True, with_passages=retriever is not None)
    if retriever is None:
        return MESSAGES_PROMPT | answer | Parser()
    context = RunnablePassthrough.assign(context=RunnableLambda(question_text) | retriever)
    return (
        context
        | RunnablePassthrough.assign(messages=RunnableLambda(attach_to_question))
        | MESSAGES_PROMPT
        | answer
        | Parser()
    )


def build(
    settings: Settings,
    backend: str,
    *,
    system: str | None = None,
    summary: str | None = None,
    raw: bool = False,
    options: Mapping[str, Any] | None = None,
    retriever: Retriever | None = None,
) -> Runnable[Inputs, str]:
    """The chain over `backend` and LLM_FALLBACK; `options` are sampling knobs for this chain alone.

    `summary` stands for what was said before the history; `retriever` finds passages of files.
    """
    if raw:
        return completion(FallbackModel(settings, backend, {**(options or {}), "raw": True}))
    model, told = FallbackModel(settings, backend, options or {}), instructions(settings, system, summary)
    return assistant(model, told) if retriever is None else retrieval_assistant(model, told, retriever)
