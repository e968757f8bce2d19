"""Which models begin their replies within their thinking, as their servers' prompts and replies have shown.

Kept by address, model and the fields that switch thinking; nothing is asked. Knows requests; no text of a reply.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import httpx2

from backends.thinking.formats import ThinkingFormat

REMEMBERED = 256  # models
SWITCHES = ("chat_template_kwargs", "reasoning_effort", "thinking", "enable_thinking", "reasoning")
ROUTE = "/chat/completions"


class Beginnings:
    """What is known of each model; any thread may ask and tell."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, ThinkingFormat | None] = OrderedDict()

    def is_known(self, base_url: str, body: Mapping[str, Any]) -> bool:
        """Whether it is known how replies to such a request begin."""
        return _key(base_url, body) in self._known

    def expected(self, request: httpx2.Request) -> ThinkingFormat | None:
        """The form of the thinking that the reply to a request begins within; None where it does not, or may not."""
        if not any(self._known.values()):  # nothing is worth reading the request for
            return None
        body = _body_of(request)
        messages = body.get("messages")
        last = messages[-1] if isinstance(messages, list) and messages else {}
        if isinstance(last, dict) and last.get("role") == "assistant":  # it goes on in the middle of an answer
            return None
        return self._known.get(_key(_base_url(request), body))

    def learn(self, request: httpx2.Request, form: ThinkingFormat | None) -> None:
        """Note how the reply to a request began; None: not within any thinking."""
        key = _key(_base_url(request), _body_of(request))
        self._known[key] = form
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


BEGINNINGS = Beginnings()  # of all servers that this process asks


def _base_url(request: httpx2.Request) -> str:
    return str(request.url.copy_with(query=None)).removesuffix(ROUTE)


def _body_of(request: httpx2.Request) -> dict[str, Any]:
    body = json.loads(request.content)
    return body if isinstance(body, dict) else {}


def _key(base_url: str, body: Mapping[str, Any]) -> str:
    switches = [body.get(name) for name in SWITCHES]
    return json.dumps([base_url.rstrip("/"), body.get("model"), switches], sort_keys=True)
