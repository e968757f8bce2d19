"""Search in one owner's conversations: in messages and titles. Knows the text indexes of both databases.

What is typed is words, never a query language. Every word has to occur, in one message or in the title; a word of two
letters or more also finds words that begin with it. Text and question are folded alike (`documents/folding.py`) for
either database. Their indexes cut texts at spaces, which is no way to find words in most scripts beyond Latin, Greek,
Cyrillic and Armenian (Chinese, Japanese, Thai, Arabic, Hindi…) or emoji: these are looked for inside the owner's
texts, without an index.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Row, Select, column, func, literal_column, select, table, text
from sqlalchemy.orm import Session

from conversations.store.schema import IS_LIVE, Conversation, Message
from conversations.store.store import Store
from conversations.store.text import UNSTORABLE
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
            yield rf"{word}(?<![^ ]{word})" + ("" if len(word) > 1 else r"(?![^ ])")
        yield from self.substrings


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
    query = query.where(text(SHOWN_SQLITE if sqlite else SHOWN_POSTGRESQL))
    position = func.instr if sqlite else func.strpos
    for term in wanted.substrings:
        query = query.where(position(Message.folded, term) > 0)
    if sqlite and wanted.words:
        expression = " ".join(f'"{word}"*' if len(word) > 1 else f'"{word}"' for word in wanted.words)
        query = query.join(MESSAGE_TEXT, MESSAGE_TEXT.c.rowid == Message.id)
        return query.where(literal_column("message_text").op("MATCH")(expression)).order_by(MESSAGE_TEXT.c.rowid.desc())
    query = query.where(text(f"NOT ({IS_LIVE})"))
    if wanted.words:
        expression = " & ".join(f"'{word}'" + (":*" if len(word) > 1 else "") for word in wanted.words)
        query = query.where(
            func.message_words(func.coalesce(Message.folded, Message.text)).op("@@")(
                func.to_tsquery("simple", expression)
            )
        )
    return query.order_by(Message.id.desc()) if sqlite else query
