"""The chain: `prompt | model | StrOutputParser()`, and `{"context": retriever} | prompt | model | StrOutputParser()`.

Stateless; knows no conversation, no page and no backend by name.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, RunnablePassthrough

from backends import ThinkingControl
from chains.agent import Agent, Calls, Toolbox
from chains.fallback import FallbackModel
from chains.passages import attach_to_question, question_message, question_text
from chains.window import fit, insert_passages
from prompts.summary import introduce
from prompts.system import system_prompt
from settings import Settings

Inputs = dict[str, Any]
Retriever = Runnable[str, list[Document]]
MESSAGES_PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("messages")]
)  # made once: it costs more than a token
QUESTION = MessagesPlaceholder("question")  # the last message, where it is more than a text


class TextParser(StrOutputParser):
    """LangChain's own parser, which hands each chunk to another thread: here that would cost a token each.

    It overrides the public `atransform`, and reports no run of its own: of a chain's steps it is the one that does
    nothing worth a trace.
    """

    async def atransform(
        self, input: AsyncIterator[str | BaseMessage], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[str]:
        """The text of each chunk as it comes; who leaves early closes the chain before it."""
        try:
            async for chunk in input:
                read = ChatGeneration(message=chunk) if isinstance(chunk, BaseMessage) else Generation(text=chunk)
                yield self.parse_result([read])
        finally:
            if isinstance(input, AsyncGenerator):
                await input.aclose()


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
    system_text = system_prompt(settings.system_prompt if system is None else system)
    return "\n\n".join(filter(None, [system_text, None if summary is None else introduce(summary)]))


def assistant(
    model: Runnable[LanguageModelInput, AIMessage], system: str, last: Any = ("human", "{input}")
) -> Runnable[Inputs, str]:
    """The inputs of `prompt` to the reply's text."""
    return prompt(system, last) | model | TextParser()


def _with_passages(retriever: Retriever, whole: Sequence[Document] = ()) -> Runnable[Inputs, Inputs]:
    """The inputs of `prompt`, with the question and what the retriever finds for it as `question`."""
    context = RunnablePassthrough.assign(context=itemgetter("input") | retriever)
    return context | RunnablePassthrough.assign(question=RunnableLambda(partial(question_message, whole=whole)))


def agent(
    model: Runnable[LanguageModelInput, AIMessage],
    system: str,
    calls: Calls,
    rounds: int,
    retriever: Retriever | None = None,
    whole: Sequence[Document] = (),
    last: Any = ("human", "{input}"),
) -> Runnable[Inputs, str]:
    """The inputs of `prompt` to the text of a reply, for which the model may call tools, `rounds` times at most."""
    if retriever is None:
        return Agent(prompt(system, last) | model, calls, rounds)
    return Agent(prompt(system, QUESTION) | model, calls, rounds, _with_passages(retriever, whole))


def retrieval_assistant(
    model: Runnable[LanguageModelInput, AIMessage], system: str, retriever: Retriever, whole: Sequence[Document] = ()
) -> Runnable[Inputs, str]:
    """The inputs of `prompt` to the text of a reply that reads what the retriever finds for the newest message.

    `whole` are all sections of the files, which it reads instead where the window holds them.
    """
    return _with_passages(retriever, whole) | prompt(system, QUESTION) | model | TextParser()


def completion(model: Runnable[LanguageModelInput, AIMessage]) -> Runnable[Inputs, str]:
    """`{"input": str}` to the text that continues it: no system prompt, no template."""
    return ChatPromptTemplate.from_messages([("human", "{input}")]) | model | TextParser()


def build_verbatim(
    settings: Settings,
    backend: str,
    options: Mapping[str, Any] | None = None,
    retriever: Retriever | None = None,
    model: str | None = None,
    raw: bool = False,
    truncate: bool = False,
    whole: Sequence[Document] = (),
    control: ThinkingControl | None = None,
) -> Runnable[Inputs, Any]:
    """`{"messages": [messages]}` to the reply's text: no system prompt of ours, no turn dropped, no other backend.

    The one thing that is added are passages, where somebody gives a retriever of them. `truncate`: the oldest turns are
    dropped where the messages do not fit. `whole` are all sections of the files, read in place of passages if they fit.
    With `tools` in the options the reply is a message, which may hold calls. `control` ends its thinking.
    """
    alone = settings.model_copy(update={"llm_fallback": ()})
    cut = fit if truncate else None if retriever is None else insert_passages
    fallback_model = FallbackModel(
        alone, backend, options or {}, model=model, raw=raw, strict=True, cut=cut, control=control
    )
    reply: Runnable[LanguageModelInput, str | AIMessage] = fallback_model
    if not (options or {}).get("tools"):
        reply = fallback_model | TextParser()
    if retriever is None:
        return MESSAGES_PROMPT | reply
    context = RunnablePassthrough.assign(context=RunnableLambda(question_text) | retriever)
    attached = RunnablePassthrough.assign(messages=RunnableLambda(partial(attach_to_question, whole=whole)))
    return context | attached | MESSAGES_PROMPT | reply


def build(
    settings: Settings,
    backend: str,
    *,
    system: str | None = None,
    summary: str | None = None,
    hidden: Sequence[int] = (),
    before: int | None = None,
    raw: bool = False,
    model: str | None = None,
    options: Mapping[str, Any] | None = None,
    retriever: Retriever | None = None,
    conversation: str | None = None,
    whole: Sequence[Document] = (),
    toolbox: Toolbox | None = None,
    control: ThinkingControl | None = None,
    shows_pictures: bool = False,
) -> Runnable[Inputs, str]:
    """The chain over `backend` and LLM_FALLBACK; `options` are those of sampling for this chain alone.

    `summary` stands for what was before the history, and `hidden` counts what is out of sight then, as `window` has
    it; `before` is what the prompt before was without, as `fit` has it. `raw`: a text goes on, without any template.
    `model` is a name at the backend's server. `retriever` finds passages of files. `conversation` is the id of the one
    that goes on, as `FallbackModel` has it.
    `whole` are all sections of those files, where they are to be read whole. `toolbox`: the model may call its tools.
    `control` ends its thinking. `shows_pictures`: the inputs have the `question` as a message with its pictures.
    """
    fallback_model = FallbackModel(
        settings,
        backend,
        options or {},
        model=model,
        raw=raw,
        cut=partial(fit, before=before),
        hidden=hidden,
        conversation=conversation,
        control=control,
        tools=() if toolbox is None else toolbox.tools,
    )
    if raw:
        return completion(fallback_model)
    text = instructions(settings, system, summary)
    last: Any = QUESTION if shows_pictures else ("human", "{input}")
    if toolbox is not None:
        return agent(fallback_model, text, toolbox.calls, toolbox.rounds, retriever, whole, last)
    if retriever is None:
        return assistant(fallback_model, text, last)
    return retrieval_assistant(fallback_model, text, retriever, whole)
