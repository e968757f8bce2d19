"""What the search looks through: a message's words, folded by the program alike for both databases.

Only texts beyond ASCII have a column of their own for it; of the others the indexes fold the text itself.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from documents.folding import fold_words

revision = "0007"
down_revision = "0006"

BATCH = 2000  # messages that are read and written at once
IS_LIVE = "state IN ('waiting', 'running')"
SQLITE = (
    "CREATE VIEW message_text_source AS SELECT id, coalesce(folded, text) AS text FROM message",
    """CREATE VIRTUAL TABLE message_text USING fts5(
           text, content='message_text_source', content_rowid='id', tokenize='unicode61 remove_diacritics 0')""",
    f"""INSERT INTO message_text(rowid, text)
           SELECT id, coalesce(folded, text) FROM message WHERE NOT ({IS_LIVE}) ORDER BY id""",
    """CREATE TRIGGER message_text_new AFTER INSERT ON message WHEN NEW.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(rowid, text) VALUES (NEW.id, coalesce(NEW.folded, NEW.text)); END""",
    """CREATE TRIGGER message_text_gone AFTER DELETE ON message WHEN OLD.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(message_text, rowid, text)
           VALUES ('delete', OLD.id, coalesce(OLD.folded, OLD.text)); END""",
    """CREATE TRIGGER message_text_old AFTER UPDATE OF text, folded, state ON message
           WHEN OLD.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(message_text, rowid, text)
           VALUES ('delete', OLD.id, coalesce(OLD.folded, OLD.text)); END""",
    """CREATE TRIGGER message_text_set AFTER UPDATE OF text, folded, state ON message
           WHEN NEW.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(rowid, text) VALUES (NEW.id, coalesce(NEW.folded, NEW.text)); END""",
)
# Words end at whatever ASCII has that is no letter or digit, and at letters that are looked for without an index.
POSTGRESQL = (
    r"""CREATE OR REPLACE FUNCTION message_words(said text) RETURNS tsvector
           LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
           SELECT to_tsvector('simple', regexp_replace(
               lower(left(said, 100000) COLLATE "C"), '[!-/:-@[-`{-~\u0590-\U0010ffff]+', ' ', 'g')) $$""",
    f"""CREATE INDEX message_text ON message USING gin (message_words(coalesce(folded, text)))
           WHERE NOT ({IS_LIVE})""",
)


def upgrade() -> None:
    """Fold what is there, and build the index anew."""
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        for trigger in ("new", "gone", "old", "set"):
            op.execute(f"DROP TRIGGER message_text_{trigger}")
    op.execute("DROP TABLE message_text" if sqlite else "DROP INDEX message_text")
    op.add_column("message", sa.Column("folded", sa.Text))
    fold_messages(connection, "length(CAST(text AS BLOB))" if sqlite else "octet_length(text)")
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)


def fold_messages(connection: Any, size: str) -> None:
    """Write the words of every text beyond ASCII, which has more bytes than letters."""
    some = sa.text(
        f"SELECT id, text FROM message WHERE id > :last AND {size} <> length(text) ORDER BY id LIMIT {BATCH}"
    )
    write = sa.text("UPDATE message SET folded = :folded WHERE id = :id")
    last = -1
    while rows := connection.execute(some, {"last": last}).all():
        connection.execute(write, [{"id": number, "folded": fold_words(said)} for number, said in rows])
        last = rows[-1][0]
