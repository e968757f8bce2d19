"""What a server is asked beside the chat: what it says of a model, kept for a while. Knows one server; no message.

A question is short and fails silently. It is asked again after a while, and once something says that the server has
changed: it was away, answers with another model, or takes less than it said.
"""

import threading
import time
from typing import Any, NamedTuple

import httpx2
import openai

from backends.remote.model_list import ListedModel, parse
from backends.remote.window import Description, describe, find_row

TIMEOUT = 2.0  # seconds for one question
FRESH = 300.0  # seconds that an answer is taken for true, be it that there is none
AWAY = 30.0  # seconds until a server that did not answer is asked again
TRIES = 2  # questions in a row to a server that answers chats and not these; then it counts as one that says nothing
NOT_THERE = {501}  # statuses from 500 on that say that the server has no such route


class UnreachableError(Exception):
    """The server did not answer, or is not ready: what it would say is not known."""


class Known(NamedTuple):
    """A description, and until when it is true, in time.monotonic's seconds; `asked`: how often without a change."""

    description: Description
    until: float
    asked: int = 1


class ServerProbe:
    """One server's descriptions of its models. Any thread may ask; who asks for the same one waits for the first."""

    def __init__(self, client: openai.OpenAI) -> None:
        self._client = client
        base = str(client.base_url).rstrip("/")
        self.root = base.removesuffix("/v1")
        self._known: dict[str, Known] = {}
        self._failures = 0  # questions in a row that got no answer
        self._model_names: dict[str, str] = {}
        self._listed: list[ListedModel] | None = None
        self._lock = threading.Lock()

    def description(self, model: str) -> Description:
        """What the server says of a model, now or a while ago; empty where it says nothing."""
        with self._lock:
            found = self.fresh_description(model)
            if found is None:
                known = self._known[model] = self._ask_again(model, self._known.get(model))
                found = known.description
            return found

    def fresh_description(self, model: str) -> Description | None:
        """What the server said of a model, where that is still taken for true; None where it is to be asked."""
        known = self._known.get(model)
        return known.description if known and time.monotonic() < known.until else None

    def offer_list(self, models: list[ListedModel]) -> None:
        """Take a list of models that was asked for just now, for the next description."""
        self._listed = models

    def last_description(self, model: str) -> Description:
        """What is known without asking."""
        known = self._known.get(model)
        return known.description if known else Description()

    def _ask_again(self, model: str, known: Known | None) -> Known:
        before, asked = (known.description, known.asked) if known else (Description(), 0)
        try:
            listed, self._listed = self._listed, None
            row = find_row(parse(self.ask("models", base=True)) if listed is None else listed, model)
            found = describe(row, model, self.ask)
            self._failures = 0
        except UnreachableError:
            self._failures += 1
            return Known(before, time.monotonic() + (AWAY if self._failures < TRIES else FRESH))
        if before.is_loaded and before.window and not (found.is_loaded and found.window):
            found = before  # unloaded meanwhile: it comes back as it was; or not told, but learned from a refusal
        return Known(found, time.monotonic() + FRESH, asked + 1 if found == before else 1)

    def ask(self, path: str, sent: Any = None, base: bool = False) -> Any:
        """The JSON at a path from the server's root, or from its `base`; None where it has none.

        Raises UnreachableError. No other host is asked: a redirect counts as no answer.
        """
        url = path if base else f"{self.root}{path}"
        client = self._client.with_options(timeout=TIMEOUT, max_retries=0)
        options: Any = {"follow_redirects": False}
        try:
            if sent is None:
                response = client.get(url, cast_to=httpx2.Response, options=options)
            else:
                response = client.post(url, cast_to=httpx2.Response, body=sent, options=options)
            return response.json()
        except openai.APIStatusError as error:
            if error.status_code in {408, 429} or (error.status_code >= 500 and error.status_code not in NOT_THERE):
                raise UnreachableError from error
            return None
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise UnreachableError from error
        except ValueError:  # a web page
            return None

    def forget(self, model: str | None = None) -> None:
        """Ask anew with the next need of a model, or of any; what was told stands until then."""
        for name in [model] if model else list(self._known):
            if name in self._known:
                self._known[name] = self._known[name]._replace(until=0.0)

    def learn_window(self, model: str, window: int) -> None:
        """Take the window that the server named when a prompt did not fit."""
        description = self.last_description(model)._replace(window=window, is_loaded=True)
        self._known[model] = Known(description, time.monotonic() + FRESH)

    def observe_failure(self) -> None:
        """Note that the server failed: it may come back as another."""
        self._failures = 0
        self.forget()

    def observe_reply(self, model: str, answered_as: str | None) -> None:
        """Note that the server answered, and as which model.

        It is asked anew where it was away, where it answers as another one, and where the model is loaded by now.
        """
        before, known = self._model_names.get(model), self._known.get(model)
        if answered_as:
            self._model_names[model] = answered_as
        if answered_as and before and before != answered_as:
            self._known.clear()
        elif 0 < self._failures < TRIES:
            self.forget()
        elif known and not known.description.is_loaded and known.asked <= TRIES:
            self.forget(model)
