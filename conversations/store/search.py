"""Search in one owner's conversations: in messages and titles. Knows the text indexes of both databases.

What is typed is words, never a query language. Every word has to occur, in one message or in the title; a word of two
letters or more also finds words that begin with it, and accents on Latin letters do not count. Both databases' indexes
cut texts at spaces and punctuation, which is no way to find words in scripts without upper and lower case (Chinese,
Japanese, Thai, Arabic, Hindi…) or emoji: these are looked for inside the owner's texts, without an index.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Row, Select, column, func, literal_column, select, table, text
from sqlalchemy.orm import Session

from conversations.store.schema import IS_LIVE, Conversation, Message
from conversations.store.store import Store
from conversations.store.text import UNSTORABLE

MAX_QUERY = 300  # characters of what is typed that count
SNIPPET_WIDTH = 120  # characters of a snippet
SNIPPET_LEAD = 40  # of them before the hit
COMMON_WORD = (
    2000  # on SQLite: of a word in more messages than this, the newest ones are enough where they fill the list
)
NEWEST_CONVERSATIONS = 400  # on PostgreSQL, whose index has no order: the newest conversations, looked through first
WORD = re.compile(r"[^\W_]+")
ACCENTS = re.compile(r"(?<=[A-Za-z])[\u0300-\u036f]+")
UNSEGMENTED = {"Lo", "Mn", "Mc", "Me", "So"}  # Unicode's categories of letters without case, marks, and emoji
MESSAGE_TEXT = table("message_text", column("rowid"))  # SQLite's


@dataclass(frozen=True)
class Hit:
    """A conversation that was found; `message_id` is the newest message that did it, None where only the title did."""

    conversation_id: str
    title: str
    message_id: int | None
    snippet: str  # plain text around the first hit, on one line
    updated: float


@dataclass(frozen=True)
class SearchQuery:
    """What is looked for: beginnings of `indexed` words, and texts that occur anywhere."""

    words: tuple[str, ...]
    substrings: tuple[str, ...]

    def patterns(self) -> Iterator[str]:
        """A regular expression of each, for folded text; what a word may not follow comes last, which is faster."""
        for word in self.words:
            bare = re.escape(fold(word))
            yield rf"{bare}(?<![^\W_]{bare})" + ("" if len(word) > 1 else r"(?![^\W_])")
        yield from (re.escape(fold(term)) for term in self.substrings)


def search_conversations(store: Store, typed: str, limit: int = 50) -> list[Hit]:
    """The conversations with all these words, the last changed first, each once; nothing typed, nothing found."""
    query = parse_query(typed)
    patterns = [re.compile(pattern) for pattern in query.patterns()]
    if not patterns:
        return []
    newest = select(Conversation.id, Conversation.title, Conversation.updated).where(Conversation.owner == store.owner)
    with store.database.reading() as session:
        conversations = session.execute(newest.order_by(Conversation.updated.desc())).all()
        messages_by_conversation = _newest_matches(
            session, store, query, [identity for identity, _, _ in conversations[:NEWEST_CONVERSATIONS]], limit
        )
        matching = (row for row in conversations if row[0] in messages_by_conversation or _all(patterns, row[1]))
        hits = list(islice(matching, limit))
        message_ids = [
            messages_by_conversation[identity] for identity, _, _ in hits if identity in messages_by_conversation
        ]
        messages = select(Message.conversation_id, Message.text).where(Message.id.in_(message_ids))
        texts = dict(session.execute(messages).all())
    first = re.compile("|".join(query.patterns()))
    return [
        Hit(
            identity, title, messages_by_conversation.get(identity), snippet(texts.get(identity, title), first), updated
        )
        for identity, title, updated in hits
    ]


def parse_query(typed: str) -> SearchQuery:
    """What somebody typed, as words."""
    indexed: dict[str, None] = {}
    inside: dict[str, None] = {}
    for term in unicodedata.normalize("NFC", UNSTORABLE.sub(" ", typed[:MAX_QUERY])).split():
        if any(unicodedata.category(letter) in UNSEGMENTED for letter in term):
            inside[term] = None
        else:
            indexed |= dict.fromkeys(WORD.findall(term))
    return SearchQuery(tuple(indexed), tuple(inside))


def fold(text: str) -> str:
    """The text in which words are compared: small letters, the Latin ones without accents."""
    if text.isascii():
        return text.lower()
    bare = ACCENTS.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare).lower()


def snippet(text: str, first: re.Pattern[str]) -> str:
    """About WIDTH characters around the first hit, on one line."""
    folded = fold(text)
    hit = first.search(folded)
    at = hit.start() if hit else 0
    if len(folded) != len(text):  # some letter became two, or two became one
        at = bisect_left(range(len(text)), at, key=lambda end: len(fold(text[:end])))
    start = (
        0
        if at <= SNIPPET_LEAD
        else text.rfind(" ", max(0, at - SNIPPET_LEAD - 20), at - SNIPPET_LEAD) + 1 or at - SNIPPET_LEAD
    )
    end = start + SNIPPET_WIDTH
    excerpt = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{excerpt}{'…' if end < len(text) else ''}"


def _all(patterns: list[re.Pattern[str]], title: str) -> bool:
    folded = fold(title)
    return all(pattern.search(folded) for pattern in patterns)


def _newest_matches(
    session: Session, store: Store, wanted: SearchQuery, newest: list[str], limit: int
) -> dict[str, int]:
    """The newest message with all of it in each conversation; of more than `limit` conversations, in the newest ones.

    A common word fills the list from the newest ones, so that all its messages need not be read.
    """
    matching = _matching(store, wanted)
    few = matching.limit(COMMON_WORD) if store.database.sqlite else matching.where(Message.conversation_id.in_(newest))
    rows: Sequence[Row[str, int, int]] = []
    for query in (few.subquery(), matching.subquery()):
        last = select(query.c.conversation_id, func.max(query.c.id), func.count()).group_by(query.c.conversation_id)
        each = last.subquery()
        newest_first = select(*each.c).join(Conversation, Conversation.id == each.c.conversation_id)
        rows = session.execute(newest_first.order_by(Conversation.updated.desc()).limit(limit)).all()
        if len(rows) == limit or (store.database.sqlite and sum(count for *_, count in rows) < COMMON_WORD):
            break
    return {identity: number for identity, number, _ in rows}


def _matching(store: Store, wanted: SearchQuery) -> Select[int, str]:
    """The owner's messages that hold all of it; SQLite gives the newest first, at no cost."""
    query = select(Message.id, Message.conversation_id).join(Conversation).where(Conversation.owner == store.owner)
    sqlite = store.database.sqlite
    position = func.instr if sqlite else func.strpos
    for term in wanted.substrings:
        haystack = func.lower(Message.text) if term.lower() != term.upper() else Message.text  # costly on a whole store
        query = query.where(position(haystack, term.lower()) > 0)
    if sqlite and wanted.words:
        expression = " ".join(f'"{word}"*' if len(word) > 1 else f'"{word}"' for word in wanted.words)
        query = query.join(MESSAGE_TEXT, MESSAGE_TEXT.c.rowid == Message.id)
        return query.where(literal_column("message_text").op("MATCH")(expression)).order_by(MESSAGE_TEXT.c.rowid.desc())
    query = query.where(text(f"NOT ({IS_LIVE})"))
    if wanted.words:
        expression = " & ".join(f"'{fold(word)}'" + (":*" if len(word) > 1 else "") for word in wanted.words)
        query = query.where(func.message_words(Message.text).op("@@")(func.to_tsquery("simple", expression)))
    return query.order_by(Message.id.desc()) if sqlite else query
