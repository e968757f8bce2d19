"""What a search in what was thought looks through, and how much of it stood before each call of a tool.

As for texts (0007): only thoughts beyond ASCII have a column of their own for their folded words.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from documents.folding import fold_words

revision = "0016"
down_revision = "0015"

BATCH = 2000  # messages that are read and written at once
WORDS = "coalesce({0}thinking_folded, {0}thinking)"
OLD, NEW = (f"{row}.state NOT IN ('waiting', 'running') AND {row}.thinking IS NOT NULL" for row in ("OLD", "NEW"))
ADD = f"INSERT INTO message_thinking(rowid, text) VALUES (NEW.id, {WORDS.format('NEW.')})"
DROP = f"INSERT INTO message_thinking(message_thinking, rowid, text) VALUES ('delete', OLD.id, {WORDS.format('OLD.')})"
CHANGED = "AFTER UPDATE OF thinking, thinking_folded, state ON message"
SQLITE = (
    f"CREATE VIEW message_thinking_source AS SELECT id, {WORDS.format('')} AS text FROM message",
    """CREATE VIRTUAL TABLE message_thinking USING fts5(
           text, content='message_thinking_source', content_rowid='id', tokenize='unicode61 remove_diacritics 0')""",
    f"""INSERT INTO message_thinking(rowid, text) SELECT id, {WORDS.format("")} FROM message
           WHERE state NOT IN ('waiting', 'running') AND thinking IS NOT NULL ORDER BY id""",
    f"CREATE TRIGGER message_thinking_new AFTER INSERT ON message WHEN {NEW} BEGIN {ADD}; END",
    f"CREATE TRIGGER message_thinking_gone AFTER DELETE ON message WHEN {OLD} BEGIN {DROP}; END",
    f"CREATE TRIGGER message_thinking_old {CHANGED} WHEN {OLD} BEGIN {DROP}; END",
    f"CREATE TRIGGER message_thinking_set {CHANGED} WHEN {NEW} BEGIN {ADD}; END",
)
POSTGRESQL = (
    f"""CREATE INDEX message_thinking ON message USING gin (message_words({WORDS.format("")}))
           WHERE NOT (state IN ('waiting', 'running')) AND thinking IS NOT NULL""",
)


def upgrade() -> None:
    """Add the columns, fold what is there, and build the index; of calls so far nothing is known."""
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    op.add_column("tool_call", sa.Column("thought", sa.Integer, server_default="0", nullable=False))
    op.add_column("message", sa.Column("thinking_folded", sa.Text))
    fold_thinking(connection, "length(CAST(thinking AS BLOB))" if sqlite else "octet_length(thinking)")
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)


def fold_thinking(connection: Any, size: str) -> None:
    """Write the words of every thought beyond ASCII, which has more bytes than letters."""
    some = sa.text(
        f"SELECT id, thinking FROM message WHERE id > :last AND {size} <> length(thinking) ORDER BY id LIMIT {BATCH}"
    )
    write = sa.text("UPDATE message SET thinking_folded = :folded WHERE id = :id")
    last = -1
    while rows := connection.execute(some, {"last": last}).all():
        connection.execute(write, [{"id": number, "folded": fold_words(said)} for number, said in rows])
        last = rows[-1][0]
