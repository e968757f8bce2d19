"""Tokens of a prompt as the server's own tokenizer counts them, where it lets others use it. Knows no window.

Each way is one server software's; the first that answers is kept. A prompt is counted once as long as it is remembered.
"""

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from backends.remote.model_list import to_tokens
from backends.remote.probe import ServerProbe, UnreachableError

REMEMBERED = 256  # prompts
ENOUGH = 100  # tokens of a prompt that shows how a tokenizer counts
MOST = 4.0  # times the estimate: a token for each byte
OVERHEAD = 4  # tokens of a chat template around a message, where the template itself cannot be asked for
Message = dict[str, Any]
Way = Callable[[ServerProbe, str, Sequence[Message]], int | None]


class ServerTokenizer:
    """The tokenizer of one server's models. Any thread may count; the event loop may not, since a request is sent."""

    def __init__(self, probe: ServerProbe) -> None:
        self._probe = probe
        self._ways: dict[str, Way | None] = {}  # by model; None: it has none
        self._counted: OrderedDict[str, int] = OrderedDict()
        self._factors: dict[str, float] = {}  # by model

    def count(self, model: str, messages: Sequence[Message]) -> int | None:
        """Tokens of a prompt with its chat template; None where the server does not count, or does not answer."""
        key = json.dumps([model, messages], default=str)
        if key in self._counted:
            return self._counted[key]
        counted = self._ask(model, messages)
        if counted is not None:
            self._counted[key] = counted
            while len(self._counted) > REMEMBERED:
                self._counted.popitem(last=False)
        return counted

    def _ask(self, model: str, messages: Sequence[Message]) -> int | None:
        known = self._ways.get(model, ...)
        if known is None:
            return None
        try:
            for way in WAYS if known is ... else [known]:
                counted = way(self._probe, model, messages)
                if counted:
                    self._ways[model] = way
                    return counted
        except UnreachableError:
            return None
        self._ways.setdefault(model, None)
        return None

    def correct(self, model: str, estimate: int) -> int:
        """An estimate as the model's replies have shown it to be, where they did."""
        return round(estimate * self._factors.get(model, 1.0))

    def learn(self, model: str, estimate: int, read: int) -> None:
        """Note what a server said it read of a prompt that was estimated: code and digits are more tokens than prose.

        Less than the estimate tells nothing: the server may have read a part.
        """
        if estimate >= ENOUGH:
            now = min(MOST, max(1.0, read / estimate))
            self._factors[model] = max(now, (now + self._factors.get(model, now)) / 2)  # slowly down

    def forget(self) -> None:
        """Find out anew whether and how the server counts."""
        self._ways.clear()
        self._counted.clear()
        self._factors.clear()


def count_messages(probe: ServerProbe, model: str, messages: Sequence[Message]) -> int | None:
    """vLLM and SGLang: `/tokenize` takes messages, and puts the chat template around them."""
    return _number(probe.ask("/tokenize", {"model": model, "messages": messages}), "count")


def count_rendered(probe: ServerProbe, model: str, messages: Sequence[Message]) -> int | None:
    """llama-server: `/apply-template` makes a text of the messages, which `/tokenize` takes."""
    rendered = probe.ask("/apply-template", {"model": model, "messages": messages})
    prompt = rendered.get("prompt") if isinstance(rendered, dict) else None
    text, overhead = (prompt, 1) if isinstance(prompt, str) else (_joined(messages), OVERHEAD * len(messages))
    tokens = _tokens(probe.ask("/tokenize", {"model": model, "content": text, "parse_special": True}))
    return tokens and tokens + overhead


def count_chat(probe: ServerProbe, model: str, messages: Sequence[Message]) -> int | None:
    """Text Generation Inference: `/chat_tokenize`."""
    answer = probe.ask("/chat_tokenize", {"model": model, "messages": messages})
    tokens = answer.get("tokenize_response") if isinstance(answer, dict) else None
    return len(tokens) if isinstance(tokens, list) else None


def count_text(probe: ServerProbe, model: str, messages: Sequence[Message]) -> int | None:
    """llama-cpp-python and KoboldCpp: they count a text, and know no messages there."""
    text = _joined(messages)
    counted = _number(probe.ask("/extras/tokenize/count", {"input": text}), "count")
    counted = counted or _number(probe.ask("/api/extra/tokencount", {"prompt": text}), "value")
    return counted and counted + OVERHEAD * len(messages)


WAYS: tuple[Way, ...] = (count_messages, count_rendered, count_chat, count_text)


def _joined(messages: Sequence[Message]) -> str:
    return "\n".join(text_of(message) for message in messages)


def text_of(message: Message) -> str:
    """The text of a message as it is sent; pictures and the like are left out."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text")) for part in content if isinstance(part, dict) and part.get("text"))
    return str(content or "")


def _number(answer: Any, name: str) -> int | None:
    return to_tokens(answer.get(name)) if isinstance(answer, dict) else None


def _tokens(answer: Any) -> int | None:
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    return len(tokens) if isinstance(tokens, list) and tokens else None
