"""Search in one owner's conversations: messages, calls of tools, titles, and on request what models thought.

Knows the text indexes of both databases.

What is typed is words, never a query language. Every word has to occur in one message, in the arguments and the result
of one call, or in the title; a word of two letters or more also finds words that begin with it. Text and question are
folded alike (`documents/folding.py`) for either database. Their indexes cut texts at spaces, which is no way to find
words in most scripts beyond Latin, Greek, Cyrillic and Armenian (Chinese, Japanese, Thai, Arabic, Hindi…) or emoji:
these are looked for inside the owner's texts, without an index.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    String,
    TableClause,
    any_,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.orm import Session

from conversations.store.schema import IS_LIVE, Conversation, Message, ToolCall
from conversations.store.store import Store
from conversations.store.text import ESCAPE, UNSTORABLE
from documents.folding import fold_words

MAX_QUERY = 300  # characters of what is typed that count
SNIPPET_WIDTH = 120  # characters of a snippet
SNIPPET_LEAD = 40  # of them before the hit
COMMON_WORD = (
    2000  # on SQLite: of a word in more messages than this, the newest ones are enough where they fill the list
)
NEWEST_CONVERSATIONS = 400  # on PostgreSQL, whose index has no order: the newest conversations, looked through first
INDEXED = "\u0590"  # words of letters before this one are in the indexes
# What an import brought as hidden is not found either.
SHOWN_SQLITE = "json_type(message.extra, '$.hidden') IS NOT 'true'"
SHOWN_POSTGRESQL = "CAST(message.extra -> 'hidden' AS text) IS DISTINCT FROM 'true'"


class Searched(NamedTuple):
    """Where texts are searched: their rows, their words where these are folded, and an index of either database.

    `words` is what PostgreSQL's index has of a row, letter by letter as its migration wrote it; `fts` is SQLite's.
    """

    number: Any
    folded: Any
    words: ColumnElement[str]
    fts: TableClause


MESSAGES = Searched(
    Message.id,
    Message.folded,
    func.coalesce(Message.folded, Message.text),
    table("message_text", column("rowid")),
)
THOUGHTS = Searched(
    Message.id,
    Message.thinking_folded,
    func.coalesce(Message.thinking_folded, Message.thinking),
    table("message_thinking", column("rowid")),
)
CALLS = Searched(
    ToolCall.id,
    ToolCall.folded,
    literal_column("coalesce(tool_call.folded, tool_call.arguments || ' ' || coalesce(tool_call.result, ''))"),
    table("call_text", column("rowid")),
)


@dataclass(frozen=True)
class Hit:
    """A conversation that was found; `message_id` is the newest message that did it, or one of whose calls did; None
    where only the title did.
    """

    conversation_id: str
    title: str
    message_id: int | None
    snippet: str  # plain text around the first hit, on one line; of a call behind the tool's name
    updated: float
    is_thought: bool = False  # the words are none of what was said: a model thought them


@dataclass(frozen=True)
class SearchQuery:
    """What is looked for: beginnings of `indexed` words, and texts that occur anywhere."""

    words: tuple[str, ...]
    substrings: tuple[str, ...]

    def patterns(self) -> Iterator[str]:
        """A regular expression of each, for folded text; what a word may not follow comes last, which is faster."""
        for word in self.words:
            yield rf"{word}(?<![^ ]{word})" + ("" if len(word) > 1 else r"(?![^ ])")
        yield from self.substrings


@dataclass(frozen=True)
class Asked:
    """A search: what is looked for in whose conversations, the last changed first; of a project where one is named."""

    store: Store
    wanted: SearchQuery
    project_id: str | None
    conversations: list[str]

    @property
    def sqlite(self) -> bool:
        """Whether SQLite is asked, or PostgreSQL."""
        return self.store.database.sqlite

    @property
    def within(self) -> list[ColumnElement[bool]]:
        """Which conversations are searched, for a query of their table."""
        return _within(self.store, self.project_id)


def search_conversations(
    store: Store, typed: str, limit: int = 50, with_thinking: bool = False, project_id: str | None = None
) -> list[Hit]:
    """The conversations with all these words, the last changed first, each once; nothing typed, nothing found.

    `with_thinking`: those as well in which a model thought them, and nobody said them. `project_id`: those in it alone.
    """
    query = parse_query(typed)
    patterns = [re.compile(pattern) for pattern in query.patterns()]
    if not patterns:
        return []
    newest = select(Conversation.id, Conversation.title, Conversation.updated).where(*_within(store, project_id))
    with store.database.reading() as session:
        conversations = session.execute(newest.order_by(Conversation.updated.desc())).all()
        asked = Asked(store, query, project_id, [identity for identity, _, _ in conversations])
        matches = partial(_newest_matches, session, asked, limit)
        said = matches(places=(MESSAGES, CALLS))
        thought = matches(places=(THOUGHTS,)) if with_thinking else {}
        messages_by_conversation = thought | said
        matching = (row for row in conversations if row[0] in messages_by_conversation or _all(patterns, row[1]))
        hits = list(islice(matching, limit))
        found = [messages_by_conversation[identity] for identity, _, _ in hits if identity in messages_by_conversation]
        first = re.compile("|".join(query.patterns()))
        snippets = _snippets(session, found, patterns, first)
        snippets |= _thought_snippets(session, [thought[each] for each in thought.keys() - said.keys()], first)
    numbered = [(messages_by_conversation.get(identity), identity, title, updated) for identity, title, updated in hits]
    return [
        Hit(
            identity,
            title,
            number,
            snippet(title, first) if number is None else snippets.get(number, title),
            updated,
            is_thought=identity in thought and identity not in said,
        )
        for number, identity, title, updated in numbered
    ]


def _thought_snippets(session: Session, message_ids: Sequence[int], first: re.Pattern[str]) -> dict[int, str]:
    """What is shown of each message in which it was thought."""
    rows = session.execute(select(Message.id, Message.thinking).where(Message.id.in_(message_ids)))
    return {number: snippet(thinking or "", first) for number, thinking in rows}


def _snippets(
    session: Session, message_ids: Sequence[int], patterns: list[re.Pattern[str]], first: re.Pattern[str]
) -> dict[int, str]:
    """What is shown of each message that was found: of its text where that has all the words, else of a call of it."""
    texts = dict(session.execute(select(Message.id, Message.text).where(Message.id.in_(message_ids))).all())
    shown = {number: snippet(said, first) for number, said in texts.items()}
    by_calls = [number for number, said in texts.items() if not _all(patterns, said)]
    columns = ToolCall.message_id, ToolCall.name, ToolCall.arguments, ToolCall.result
    calls = select(*columns).where(ToolCall.message_id.in_(by_calls)).order_by(ToolCall.id)
    for number, name, arguments, result in session.execute(calls):
        said = f"{ESCAPE.sub(' ', arguments)} {result or ''}"
        if _all(patterns, said):
            shown[number] = f"{name}: {snippet(said, first)}"
    return shown


def parse_query(typed: str) -> SearchQuery:
    """What somebody typed, as words."""
    terms = dict.fromkeys(fold_words(UNSTORABLE.sub(" ", typed[:MAX_QUERY])).split())
    indexed = tuple(term for term in terms if max(term) < INDEXED)
    return SearchQuery(indexed, tuple(term for term in terms if term not in indexed))


def snippet(text: str, first: re.Pattern[str]) -> str:
    """About WIDTH characters around the first hit, on one line."""
    folded = fold_words(text)
    hit = first.search(folded)
    at = hit.start() if hit else 0
    if len(folded) != len(text):  # some letter became two, or two became one
        at = bisect_left(range(len(text)), at, key=lambda end: len(fold_words(text[:end])))
    start = (
        0
        if at <= SNIPPET_LEAD
        else text.rfind(" ", max(0, at - SNIPPET_LEAD - 20), at - SNIPPET_LEAD) + 1 or at - SNIPPET_LEAD
    )
    end = start + SNIPPET_WIDTH
    excerpt = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{excerpt}{'…' if end < len(text) else ''}"


def _all(patterns: list[re.Pattern[str]], title: str) -> bool:
    folded = fold_words(title)
    return all(pattern.search(folded) for pattern in patterns)


def _within(store: Store, project_id: str | None) -> list[ColumnElement[bool]]:
    """Which conversations are searched: the owner's, or of these those in a project."""
    own = [Conversation.owner == store.owner]
    return own if project_id is None else [*own, Conversation.project_id == project_id]


def _newest_matches(session: Session, asked: Asked, limit: int, places: Sequence[Searched]) -> dict[str, int]:
    """The newest message with all of it in each conversation; of more than `limit` conversations, in the newest ones.

    A common word fills the list from the newest ones, so that all its messages need not be read.
    """
    rows: Sequence[Row[str, int, int]] = []
    for queries in _attempts(asked, places):
        query = union_all(*(select(each.subquery()) for each in queries)).subquery()
        last = select(query.c.conversation_id, func.max(query.c.id), func.count()).group_by(query.c.conversation_id)
        each = last.subquery()
        newest_first = select(*each.c).join(Conversation, Conversation.id == each.c.conversation_id)
        if asked.project_id is not None:
            newest_first = newest_first.where(Conversation.project_id == asked.project_id)
        rows = session.execute(newest_first.order_by(Conversation.updated.desc()).limit(limit)).all()
        if len(rows) == limit or (asked.sqlite and sum(count for *_, count in rows) < COMMON_WORD):
            break
    return {identity: number for identity, number, _ in rows}


def _attempts(asked: Asked, places: Sequence[Searched]) -> Iterator[list[Select[int, str]]]:
    """What asks for the newest of all that matches, then what asks for all of it where that may be more."""
    if asked.sqlite:
        matching = [_sqlite_matching(asked, searched) for searched in places]
        yield [query.limit(COMMON_WORD) for query in matching]
        yield matching
        return
    newest = asked.conversations[:NEWEST_CONVERSATIONS]
    yield [_postgresql_matching(asked, searched, newest) for searched in places]
    if len(newest) < len(asked.conversations):
        yield [_postgresql_matching(asked, searched) for searched in places]


def _sqlite_matching(asked: Asked, searched: Searched) -> Select[int, str]:
    """The messages that hold all of it, or of whose calls one does, the newest first: which costs the index nothing."""
    query = _readable(searched).join(Conversation).where(*asked.within, text(SHOWN_SQLITE))
    query = query.where(*(func.instr(searched.folded, term) > 0 for term in asked.wanted.substrings))
    if not asked.wanted.words:
        return _written(query, searched).order_by(searched.number.desc())
    fts = searched.fts
    expression = " ".join(f'"{word}"*' if len(word) > 1 else f'"{word}"' for word in asked.wanted.words)
    query = query.join(fts, fts.c.rowid == searched.number)
    if asked.project_id is not None:  # few of what the index finds is in it: the rest is left out by its number
        query = query.where((fts.c.rowid + 0).in_(_numbers(searched, asked.project_id)))
    return query.where(literal_column(fts.name).op("MATCH")(expression)).order_by(fts.c.rowid.desc())


def _postgresql_matching(asked: Asked, searched: Searched, among: list[str] | None = None) -> Select[int, str]:
    """The messages that hold all of it, or of whose calls one does, among these conversations or all of the owner's.

    No project is named here: for the few rows that it expects of one, the planner asks the index of words again for
    each conversation, or works the words of all its messages out. Ids it looks up once, beside the words.
    """
    query = _readable(searched).where(text(SHOWN_POSTGRESQL))
    if among is None:
        query = query.join(Conversation).where(Conversation.owner == asked.store.owner)
    else:
        query = query.where(Message.conversation_id == any_(literal(among, ARRAY(String))))
    query = query.where(*(func.strpos(searched.folded, term) > 0 for term in asked.wanted.substrings))
    if asked.wanted.words:
        expression = " & ".join(f"'{word}'" + (":*" if len(word) > 1 else "") for word in asked.wanted.words)
        query = query.where(func.message_words(searched.words).op("@@")(func.to_tsquery("simple", expression)))
    return _written(query, searched)


def _readable(searched: Searched) -> Select[int, str]:
    """All messages in which something of this kind may stand."""
    query = select(Message.id, Message.conversation_id)
    return query.join(ToolCall, ToolCall.message_id == Message.id) if searched is CALLS else query


def _written(query: Select[int, str], searched: Searched) -> Select[int, str]:
    """Without messages that are being written, and those without thoughts: SQLite's index leaves both out itself."""
    if searched is not CALLS:
        query = query.where(text(f"NOT ({IS_LIVE})"))
    return query.where(Message.thinking.is_not(None)) if searched is THOUGHTS else query


def _numbers(searched: Searched, project_id: str) -> Select[int]:
    """The numbers of all that may be searched in a project; SQLite makes a list of them once."""
    numbers = select(searched.number).select_from(Message).join(Conversation)
    if searched is CALLS:
        numbers = numbers.join(ToolCall, ToolCall.message_id == Message.id)
    return numbers.where(Conversation.project_id == project_id)
