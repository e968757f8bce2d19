"""Calls of tools are found by the words of their arguments and results, folded as those of messages are."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from conversations.store.text import searched_call

revision = "0013"
down_revision = "0012"

BATCH = 500  # calls that are read and written at once
WORDS = "coalesce(folded, arguments || ' ' || coalesce(result, ''))"


def _said(row: str) -> str:
    """The words of a call as a trigger knows it."""
    return f"coalesce({row}.folded, {row}.arguments || ' ' || coalesce({row}.result, ''))"


SQLITE = (
    f"CREATE VIEW call_text_source AS SELECT id, {WORDS} AS text FROM tool_call",
    """CREATE VIRTUAL TABLE call_text USING fts5(
           text, content='call_text_source', content_rowid='id', tokenize='unicode61 remove_diacritics 0')""",
    f"INSERT INTO call_text(rowid, text) SELECT id, {WORDS} FROM tool_call ORDER BY id",
    f"""CREATE TRIGGER call_text_new AFTER INSERT ON tool_call BEGIN
           INSERT INTO call_text(rowid, text) VALUES (NEW.id, {_said("NEW")}); END""",
    f"""CREATE TRIGGER call_text_gone AFTER DELETE ON tool_call BEGIN
           INSERT INTO call_text(call_text, rowid, text) VALUES ('delete', OLD.id, {_said("OLD")}); END""",
    f"""CREATE TRIGGER call_text_set AFTER UPDATE OF arguments, result, folded ON tool_call BEGIN
           INSERT INTO call_text(call_text, rowid, text) VALUES ('delete', OLD.id, {_said("OLD")});
           INSERT INTO call_text(rowid, text) VALUES (NEW.id, {_said("NEW")}); END""",
)
POSTGRESQL = (f"CREATE INDEX call_text ON tool_call USING gin (message_words({WORDS}))",)


def upgrade() -> None:
    """Add the column, fold what is there, and build the index."""
    connection = op.get_bind()
    op.add_column("tool_call", sa.Column("folded", sa.Text))
    _fold_calls(connection)
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def _fold_calls(connection: Any) -> None:
    """Write the words of every call whose own are not searched as they are."""
    some = sa.text(f"SELECT id, arguments, result FROM tool_call WHERE id > :last ORDER BY id LIMIT {BATCH}")
    write = sa.text("UPDATE tool_call SET folded = :folded WHERE id = :id")
    last = -1
    while rows := connection.execute(some, {"last": last}).all():
        found = [{"id": number, "folded": searched_call(*said)} for number, *said in rows]
        if folded := [row for row in found if row["folded"] is not None]:
            connection.execute(write, folded)
        last = rows[-1][0]
