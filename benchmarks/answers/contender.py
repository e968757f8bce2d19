"""Who is asked: a model through our chain's window and local backend, or one at a server with its own defaults.

Knows the local backend and OpenAI's API; nothing of what is asked and judged.
"""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage

import backends
from chains.passages import insert
from chains.window import fit
from settings import Settings

TOGETHER = 8  # chats
LONGEST = 48  # tokens of a reply
WINDOW = 2048  # tokens of a chat, each with memory of its own, so that a seed holds
ROLES = {"system": "system", "human": "user", "ai": "assistant"}
Ask = Callable[[Sequence[BaseMessage], int], str]  # prompt and seed to the reply


@dataclass(frozen=True)
class Contender:
    """A model under a name: a GGUF file, with an adapter or without, or the one of a server at `url`.

    `options` are those of sampling; what they do not name is as the backend or the server has it.
    """

    name: str
    model: str = ""
    adapter: str | None = None
    url: str | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    window: int = WINDOW


@contextmanager
def asking(contender: Contender, tokens: int = LONGEST) -> Iterator[Ask]:
    """What asks a contender for replies of so many tokens, loaded as long as the context lasts.

    Raises ModelError kinds, SettingsError.
    """
    if contender.url is not None:
        yield remote(contender.url, tokens)
        return
    own = {"model": contender.model, "n_ctx": contender.window, "kv_tokens": TOGETHER * contender.window}
    lora = {} if contender.adapter is None else {"lora": contender.adapter}
    settings = backends.with_settings(Settings.read(), "llamacpp", **own, **lora, parallel=TOGETHER)
    try:
        with asyncio.run(backends.lease("llamacpp", settings)) as lease:  # it does not leave meanwhile
            yield local(lease.model, contender.options, tokens)
    finally:
        backends.unload()


def local(model: Any, options: Mapping[str, float], tokens: int) -> Ask:
    """Asks our backend with what the chain leaves of a prompt for its window."""

    def ask(messages: Sequence[BaseMessage], seed: int) -> str:
        prompt = fit(model, messages, tokens).messages
        return str(model.invoke(prompt, **options, seed=seed, max_tokens=tokens).text)

    return ask


def remote(url: str, tokens: int) -> Ask:
    """Asks a server, which samples as it does where nobody says how; every passage fits."""

    def ask(messages: Sequence[BaseMessage], seed: int) -> str:
        prompt = insert(messages, len, None).messages
        rows = [{"role": ROLES[message.type], "content": message.text} for message in prompt]
        body = json.dumps({"messages": rows, "seed": seed, "max_tokens": tokens}).encode()
        address = url.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return str(json.load(answer)["choices"][0]["message"]["content"])

    return ask
