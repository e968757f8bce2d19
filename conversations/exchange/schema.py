"""Our JSON form of conversations, checked field by field. Knows what a database can hold; no file and no table.

    {"format": "llm-assistant", "version": 1,
     "conversations": [{"id": …, "messages": [{"number": 0, "parent": null, …}],
                        "documents": [{"name": "notes.pdf", "pages": ["text of page 1", …], …}]}]}

Messages are numbered from 0 in the order in which they were added, so a parent's number is smaller than its child's.
`documents`, and the `sources`, `calls` and `pictures` of a message, are there only where there are some: older programs
read the rest.
"""

import base64
import hashlib
import json
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from conversations.exchange.errors import ExchangeError, explain, preview
from conversations.store.text import clean
from conversations.store.tree import Tree
from documents.kind import UNITS, display_name
from prompts.effort import Effort
from prompts.persona import Persona

FORMAT, VERSION = "llm-assistant", 1
ID = r"^[A-Za-z0-9_-]{0,64}$"
MAX_DEPTH = 40  # levels in `extra`
MAX_TIMESTAMP = 253_402_300_799  # the last second of the year 9999
MAX_PLACE = 1_000  # characters of the words that say where a text stands


def _clean_value(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _check_json(value: Any, depth: int = 0) -> Any:
    """JSON that every database holds."""
    if depth > MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {clean(str(key)): _check_json(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_check_json(each, depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("holds a number that is not finite")
    return _clean_value(value)


def check_persona(value: Any) -> Any:
    """One that `prompts.persona` takes."""
    persona = _check_json(value)
    if isinstance(persona, dict):
        try:
            Persona(persona["slug"], persona["name"], persona["description"], tuple(persona["sentences"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("has to have slug, name, description and sentences") from error
        persona.pop("foreign", None)  # whoever reads a file says that
    return persona


def _check_name(value: Any) -> Any:
    return display_name(clean(value)) if isinstance(value, str) else value


CleanStr = Annotated[str, BeforeValidator(_clean_value)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
FiniteFloat = Annotated[float, Field(allow_inf_nan=False)]
Timestamp = Annotated[float, Field(ge=0, le=MAX_TIMESTAMP, allow_inf_nan=False)]
JsonObject = Annotated[dict[str, Any], BeforeValidator(_check_json)]


class ExportSchema(BaseModel):
    """Nothing is guessed, and an unknown field is refused."""

    model_config = ConfigDict(strict=True, extra="forbid")


class FeedbackSchema(ExportSchema):
    """A thumb up (1) or down (-1), with its comment."""

    value: Literal[1, -1]
    comment: CleanStr = ""
    created: Timestamp


class SummarySchema(ExportSchema):
    """What stands for the messages up to the one that has it."""

    messages: Count
    text: CleanStr
    created: Timestamp
    backend: CleanStr | None = None
    model: CleanStr | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    duration_ms: FiniteFloat | None = None


class SourceSchema(ExportSchema):
    """A passage that a reply was made from: `begins` in the text of the document of this number, from 0.

    `number` is the one that the reply's markers name, from 1, where it is not the place among the sources.
    """

    document: Count
    begins: Count
    score: FiniteFloat
    number: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(None, exclude_if=lambda number: number is None)


class CallSchema(ExportSchema):
    """A call of a tool in a reply, and what became of it; one that was not over counts as cancelled."""

    step: Count
    position: Count
    thought: Count = Field(0, exclude_if=operator.not_)
    call_id: CleanStr
    name: CleanStr
    origin: CleanStr = ""
    arguments: CleanStr
    result: CleanStr | None = None
    status: Literal["done", "failed", "denied", "expired", "cancelled"]
    asked: Timestamp
    decided: Timestamp | None = None
    finished: Timestamp | None = None
    decided_by: Annotated[CleanStr, Field(max_length=24)] | None = None


class DocumentSchema(ExportSchema):
    """A file's texts, a page each, or one for each of its `places`; one text where it has neither."""

    name: Annotated[str, BeforeValidator(_check_name)]
    kind: CleanStr
    bytes: Annotated[int, Field(ge=0, lt=2**63)]
    created: Timestamp
    pages: list[CleanStr]
    places: list[Annotated[CleanStr, Field(min_length=1, max_length=MAX_PLACE)]] | None = Field(
        None, exclude_if=operator.not_
    )

    @model_validator(mode="after")
    def _check_pages(self) -> Self:
        """Its kind is known, and something stands in it. White space around a page is no part of it."""
        if self.kind not in UNITS:
            raise ValueError(f"its kind is {preview(self.kind)}, and only {', '.join(sorted(UNITS))} are known")
        if UNITS[self.kind] or self.places:
            self.pages = [page.strip() for page in self.pages]
        elif len(self.pages) != 1:
            raise ValueError(f"a {self.kind} document has one text, and this has {len(self.pages)}")
        self._check_places()
        if not any(page.strip() for page in self.pages):
            raise ValueError("it holds no words")
        return self

    def _check_places(self) -> None:
        """Where places are named, each text has words and a place of its own."""
        if self.places and (len(set(self.places)) != len(self.pages) or not all(self.pages) or UNITS[self.kind]):
            raise ValueError(f"it has {len(set(self.places))} places for {len(self.pages)} texts")


class PictureSchema(ExportSchema):
    """A picture of a message, after `position` characters of its text: `data` is its file in base64.

    Kind and size are for who reads it elsewhere; when it comes back, its bytes alone are believed.
    """

    name: Annotated[str, BeforeValidator(_check_name)]
    mime_type: CleanStr = ""
    width: Count = 0
    height: Count = 0
    data: str
    position: Count = Field(0, exclude_if=operator.not_)


class MessageSchema(ExportSchema):
    """One message; `parent` is the number of the one before."""

    number: Count
    parent: Count | None
    role: Literal["user", "assistant", "system", "tool"]
    text: CleanStr = ""
    created: Timestamp
    state: Literal["done", "stopped", "failed", "interrupted"] = "done"
    backend: CleanStr | None = None
    model: CleanStr | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    counted: bool = False
    estimated: bool = False
    ttft_ms: FiniteFloat | None = None
    duration_ms: FiniteFloat | None = None
    tokens_per_second: FiniteFloat | None = None
    stop_reason: CleanStr | None = None
    thinking: CleanStr | None = Field(None, exclude_if=operator.not_)
    thinking_tokens: Count | None = Field(None, exclude_if=operator.not_)
    thinking_ms: FiniteFloat | None = Field(None, exclude_if=operator.not_)
    retries: Count = 0
    error: CleanStr | None = None
    window: Count | None = None
    dropped: Count = 0
    extra: JsonObject | None = None
    feedback: FeedbackSchema | None = None
    summaries: list[SummarySchema] = Field(default_factory=list)
    sources: list[SourceSchema] = Field(default_factory=list, exclude_if=operator.not_)
    calls: list[CallSchema] = Field(default_factory=list, exclude_if=operator.not_)
    pictures: list[PictureSchema] = Field(default_factory=list, exclude_if=operator.not_)


class ConversationSchema(ExportSchema):
    """A conversation; without an id it gets one that depends on what it holds."""

    id: Annotated[str, Field(pattern=ID)] = ""
    kind: Literal["chat", "compare"] = "chat"
    title: CleanStr = ""
    created: Timestamp
    updated: Timestamp
    pinned: bool = False
    system: CleanStr | None = None
    persona: Annotated[dict[str, Any], BeforeValidator(check_persona)] | None = None
    extra: JsonObject | None = None
    whole: bool = Field(False, exclude_if=operator.not_)
    reasoning_effort: Effort | None = Field(None, exclude_if=operator.not_)
    head: Count | None = None
    messages: list[MessageSchema] = Field(default_factory=list)
    documents: list[DocumentSchema] = Field(default_factory=list, exclude_if=operator.not_)

    @model_validator(mode="after")
    def _check_tree(self) -> Self:
        """The numbers make a tree, and its head is in it."""
        for position, message in enumerate(self.messages):
            if message.number != position:
                raise ValueError(f"the message at place {position} is numbered {message.number}")
            if message.parent is not None and message.parent >= position:
                raise ValueError(
                    f"message {position} names {message.parent} as its parent, which does not come before it"
                )
        if self.head is not None and self.head >= len(self.messages):
            raise ValueError(f"head is {self.head}, and there are {len(self.messages)} messages")
        if self.head is None:
            self.head = Tree((m.number, m.parent) for m in self.messages).leaf(None)
        self.id = self.id or digest(self.model_dump())
        return self


def validate_conversation(conversation: Mapping[str, Any]) -> dict[str, Any]:
    """A conversation with every field. Raises ExchangeError."""
    try:
        return ConversationSchema.model_validate(dict(conversation)).model_dump()
    except ValidationError as error:
        raise ExchangeError(explain(error)) from None


def conversations_of(data: Mapping[str, Any]) -> list[Any]:
    """The conversations of a file of ours, as they stand there. Raises ExchangeError naming what is wrong."""
    if data.get("version") != VERSION:
        raise ExchangeError(f"its version is {preview(data.get('version'))}, this program reads {VERSION}; update it")
    conversations = data.get("conversations")
    if not isinstance(conversations, list):
        raise ExchangeError("it has no list of conversations")
    return conversations


def json_chunks(conversations: Iterable[Mapping[str, Any]], project: Mapping[str, Any] | None = None) -> Iterator[str]:
    """The text of a file of ours, one conversation at a time; with the project that they are in, where it is given."""
    told = "" if project is None else f'"project": {json.dumps(project, ensure_ascii=False, allow_nan=False)}, '
    yield f'{{"format": "{FORMAT}", "version": {VERSION}, {told}"conversations": ['
    before = "\n"
    for conversation in conversations:
        yield before + json.dumps(conversation, ensure_ascii=False, allow_nan=False)
        before = ",\n"
    yield "\n]}\n"


def digest(conversation: Mapping[str, Any], owner: str = "") -> str:
    """An id that is the same for the same conversation of the same owner."""
    text = json.dumps([owner, conversation], sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=")
