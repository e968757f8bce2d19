"""A store full of invented conversations, most in projects: words as unevenly frequent as a language's, one long talk.

Knows the tables; nothing of what is measured.
"""

import random
import time
from itertools import accumulate
from typing import Any

from sqlalchemy import insert

from conversations.store import Conversation, Database, Message, Project

OWNER = "benchmark"
LONG = 2000  # messages of the long conversation
PROJECTS = 500
OUTSIDE = 10  # each so manyth conversation is in no project
RARE = "unheard"  # said in two messages
SYLLABLES = (
    "ka",
    "to",
    "mi",
    "ren",
    "sol",
    "ba",
    "lu",
    "ner",
    "fi",
    "dra",
    "ste",
    "von",
    "gu",
    "pla",
    "or",
    "et",
    "in",
)


def vocabulary(rng: random.Random, size: int = 20_000) -> list[str]:
    """Invented words, the frequent ones first."""
    words: dict[str, None] = {}
    while len(words) < size:
        words["".join(rng.choices(SYLLABLES, k=rng.choice((1, 2, 2, 3, 3, 4)))) + rng.choice(("", "s", "n", "t"))] = (
            None
        )
    return list(words)


class Script:
    """What is said: texts of invented words, the n-th of them about n times rarer than the first (Zipf)."""

    def __init__(self) -> None:
        self.rng = random.Random(1)
        self.words = vocabulary(self.rng)
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(self.words))))

    def text(self, shortest: int, longest: int) -> str:
        """A text of `shortest` to `longest` words."""
        count = self.rng.randint(shortest, longest)
        return " ".join(self.rng.choices(self.words, cum_weights=self._weights, k=count))

    def queries(self) -> dict[str, str]:
        """What is searched, by name."""
        common, other = self.words[0], self.words[9]
        return {
            "common word": common,
            "rare word": RARE,
            "two words": f"{self.words[4]} {other}",
            "beginning of a word": self.words[2][:3],
            "inside texts (no index)": "語",
        }


def rows(script: Script, sizes: list[int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Conversations of so many messages each, and the messages."""
    talks: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    now = time.time() - sum(sizes)  # a message a second, the last one now
    for talk, size in enumerate(sizes):
        first = len(messages) + 1
        for number in range(first, first + size):
            role, span = ("user", (3, 25)) if (number - first) % 2 == 0 else ("assistant", (20, 110))
            before = None if number == first else number - 1
            messages.append(
                {
                    "id": number,
                    "conversation_id": f"talk-{talk}",
                    "parent_id": before,
                    "role": role,
                    "text": script.text(*span),
                    "created": now + number,
                }
            )
        last = len(messages)
        talks.append(
            {
                "id": f"talk-{talk}",
                "owner": OWNER,
                "project_id": None if talk % OUTSIDE == 0 else f"project-{talk % PROJECTS}",
                "title": messages[first - 1]["text"][:60],
                "head": last,
                "created": now + first,
                "updated": now + last,
            }
        )
    for message in (messages[len(messages) // 3], messages[len(messages) * 2 // 3]):
        message["text"] += f" {RARE} 言語"
    return talks, messages


def generate_rows(conversations: int, messages: int) -> tuple[Script, list[dict[str, Any]], list[dict[str, Any]]]:
    """What is said, and the rows of it: conversations and messages."""
    script = Script()
    long = min(LONG, messages // 2)
    each, rest = divmod(messages - long, conversations - 1)
    return script, *rows(script, [each + (n < rest) for n in range(conversations - 1)] + [long])


def write(database: Database, talks: list[dict[str, Any]], messages: list[dict[str, Any]]) -> None:
    """Insert the rows, and the projects that they name, in one transaction."""
    used = sorted({talk["project_id"] for talk in talks} - {None})
    times = {"created": time.time(), "updated": time.time(), "imported": False}
    with database.writing() as session:
        session.execute(insert(Project), [{"id": each, "owner": OWNER, "name": each, **times} for each in used])
        session.execute(insert(Conversation), talks)
        for start in range(0, len(messages), 5000):
            session.execute(insert(Message), messages[start : start + 5000])


def analyze(database: Database) -> None:
    """What PostgreSQL's autovacuum does within a minute."""
    if not database.sqlite:
        with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def fill(database: Database, conversations: int, messages: int) -> Script:
    """Write them into an empty database."""
    script, talks, messages_rows = generate_rows(conversations, messages)
    write(database, talks, messages_rows)
    analyze(database)
    return script
