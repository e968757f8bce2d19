"""Our JSON form of conversations, checked field by field. Knows what a database can hold; no file and no table.

    {"format": "llm-assistant", "version": 1,
     "conversations": [{"id": …, "messages": [{"number": 0, "parent": null, …}],
                        "documents": [{"name": "notes.pdf", "pages": ["text of page 1", …], …}]}]}

Messages are numbered from 0 in the order in which they were added, so a parent's number is smaller than its child's.
`documents`, and the `sources` of a message, stand there only where there are some: older programs read the rest.
"""

import base64
import hashlib
import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from conversations.exchange.errors import ExchangeError, explain, shown
from conversations.store.text import clean
from conversations.store.tree import Tree
from documents.kind import KINDS, named
from prompts.persona import Persona

FORMAT, VERSION = "llm-assistant", 1
ID = r"^[A-Za-z0-9_-]{0,64}$"
DEEPEST = 40  # levels in `extra`
LATEST = 253_402_300_799  # the last second of the year 9999
PAGED = {kind.name: kind.paged for kind in KINDS.values()}


def _words(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _plain(value: Any, depth: int = 0) -> Any:
    """JSON that every database holds."""
    if depth > DEEPEST:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, dict):
        return {clean(str(key)): _plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    return _words(value)


def _persona(value: Any) -> Any:
    """One that `prompts.persona` takes."""
    found = _plain(value)
    if isinstance(found, dict):
        try:
            Persona(found["slug"], found["name"], found["description"], tuple(found["sentences"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("has to have slug, name, description and sentences") from error
    return found


def _name(value: Any) -> Any:
    return named(clean(value)) if isinstance(value, str) else value


Words = Annotated[str, BeforeValidator(_words)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Figure = Annotated[float, Field(allow_inf_nan=False)]
Moment = Annotated[float, Field(ge=0, le=LATEST, allow_inf_nan=False)]
Beside = Annotated[dict[str, Any], BeforeValidator(_plain)]


class Form(BaseModel):
    """Nothing is guessed, and an unknown field is refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


class FeedbackForm(Form):
    """A thumb."""

    value: Literal[1, -1]
    comment: Words = ""
    created: Moment


class SummaryForm(Form):
    """What stands for the messages up to the one that has it."""

    messages: Count
    text: Words
    created: Moment
    backend: Words | None = None
    model: Words | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    duration_ms: Figure | None = None


class SourceForm(Form):
    """A passage that a reply was made from: `begins` in the text of the document of this number, from 0."""

    document: Count
    begins: Count
    score: Figure


class DocumentForm(Form):
    """A file's texts, a page each; one text where its kind has no pages."""

    name: Annotated[str, BeforeValidator(_name)]
    kind: Words
    bytes: Annotated[int, Field(ge=0, lt=2**63)]
    created: Moment
    pages: list[Words]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        """Its kind is known, and something stands in it. White space around a page is no part of it."""
        if self.kind not in PAGED:
            raise ValueError(f"its kind is {shown(self.kind)}, and only {', '.join(sorted(set(PAGED)))} are known")
        if PAGED[self.kind]:
            self.pages = [page.strip() for page in self.pages]
        elif len(self.pages) != 1:
            raise ValueError(f"a {self.kind} document has one text, and this has {len(self.pages)}")
        if not any(page.strip() for page in self.pages):
            raise ValueError("it holds no words")
        return self


class MessageForm(Form):
    """One message; `parent` is the number of the one before."""

    number: Count
    parent: Count | None
    role: Literal["user", "assistant", "system", "tool"]
    text: Words = ""
    created: Moment
    state: Literal["done", "stopped", "failed", "interrupted"] = "done"
    backend: Words | None = None
    model: Words | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    counted: bool = False
    estimated: bool = False
    ttft_ms: Figure | None = None
    duration_ms: Figure | None = None
    tokens_per_second: Figure | None = None
    stop_reason: Words | None = None
    retries: Count = 0
    error: Words | None = None
    window: Count | None = None
    dropped: Count = 0
    extra: Beside | None = None
    feedback: FeedbackForm | None = None
    summaries: list[SummaryForm] = Field(default_factory=list)
    sources: list[SourceForm] = Field(default_factory=list, exclude_if=operator.not_)


class ConversationForm(Form):
    """A conversation; without an id it gets one that depends on what it holds."""

    id: Annotated[str, Field(pattern=ID)] = ""
    kind: Literal["chat", "compare"] = "chat"
    title: Words = ""
    created: Moment
    updated: Moment
    pinned: bool = False
    system: Words | None = None
    persona: Annotated[dict[str, Any], BeforeValidator(_persona)] | None = None
    extra: Beside | None = None
    head: Count | None = None
    messages: list[MessageForm] = Field(default_factory=list)
    documents: list[DocumentForm] = Field(default_factory=list, exclude_if=operator.not_)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """The numbers make a tree, and its head is in it."""
        for place, message in enumerate(self.messages):
            if message.number != place:
                raise ValueError(f"the message at place {place} is numbered {message.number}")
            if message.parent is not None and message.parent >= place:
                raise ValueError(f"message {place} names {message.parent} as its parent, which does not come before it")
        if self.head is not None and self.head >= len(self.messages):
            raise ValueError(f"head is {self.head}, and there are {len(self.messages)} messages")
        if self.head is None:
            self.head = Tree((m.number, m.parent) for m in self.messages).leaf(None)
        self.id = self.id or digest(self.model_dump())
        return self


def one(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation with every field. Raises ExchangeError."""
    try:
        return ConversationForm.model_validate(dict(conversation)).model_dump()
    except ValidationError as error:
        raise ExchangeError(explain(error)) from None


def check(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All conversations of a file of ours. Raises ExchangeError naming the place, the value and what is allowed."""
    if data.get("version") != VERSION:
        raise ExchangeError(f"its version is {shown(data.get('version'))}, this program reads {VERSION}; update it")
    found = data.get("conversations")
    if not isinstance(found, list):
        raise ExchangeError("it has no list of conversations")
    checked = each(found, one)
    seen: set[str] = set()
    for place, conversation in enumerate(checked, 1):
        if conversation["id"] in seen:
            raise ExchangeError(f"conversation {place}: the id {conversation['id']!r} is there twice")
        seen.add(conversation["id"])
    return checked


def each(items: list[Any], convert: Callable[[dict[str, Any]], dict[str, Any]]) -> list[dict[str, Any]]:
    """Every item in our form; the error says which one it was."""
    found = []
    for place, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise ExchangeError(f"conversation {place} is {shown(item)}, not an object")
        try:
            found.append(convert(item))
        except ExchangeError as error:
            raise ExchangeError(f"conversation {place}: {error}") from None
    return found


def pieces(conversations: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The text of a file of ours, one conversation at a time."""
    yield f'{{"format": "{FORMAT}", "version": {VERSION}, "conversations": ['
    before = "\n"
    for conversation in conversations:
        yield before + json.dumps(conversation, ensure_ascii=False, allow_nan=False)
        before = ",\n"
    yield "\n]}\n"


def digest(conversation: Mapping[str, Any], owner: str = "") -> str:
    """An id that is the same for the same conversation of the same owner."""
    text = json.dumps([owner, conversation], sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=")
