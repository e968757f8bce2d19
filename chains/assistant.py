"""The chain: `prompt | model | StrOutputParser()`. Stateless; knows no conversation, no page and no backend by name."""

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable

from chains.answer import Answer
from prompts.system import system_prompt
from settings import Settings

Inputs = dict[str, Any]


def assistant(model: Runnable[LanguageModelInput, AIMessage], system: str) -> Runnable[Inputs, str]:
    """`{"history": [messages], "input": str}` to the reply's text."""
    instructions = [("system", "{system}")] if system else []
    prompt = ChatPromptTemplate.from_messages([*instructions, MessagesPlaceholder("history"), ("human", "{input}")])
    return prompt.partial(system=system) | model | StrOutputParser()


def completion(model: Runnable[LanguageModelInput, AIMessage]) -> Runnable[Inputs, str]:
    """`{"input": str}` to the text that continues it: no system prompt, no template."""
    prompt = ChatPromptTemplate.from_messages([("human", "{input}")])
    return prompt | model | StrOutputParser()


def build(
    settings: Settings,
    backend: str,
    *,
    system: str | None = None,
    raw: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Runnable[Inputs, str]:
    """The chain over `backend` and LLM_FALLBACK; `options` are sampling knobs for this chain alone."""
    if raw:
        return completion(Answer(settings, backend, {**(options or {}), "raw": True}))
    chosen = settings.system_prompt if system is None else system
    return assistant(Answer(settings, backend, options or {}), system_prompt(chosen))
