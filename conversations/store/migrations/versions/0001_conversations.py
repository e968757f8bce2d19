"""The first tables, and the index of every text."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_LIVE = "state IN ('waiting', 'running')"

# SQLite's index of texts holds no text of its own; a reply that still grows is not in it.
SQLITE = (
    """CREATE VIRTUAL TABLE message_text USING fts5(
           text, content='message', content_rowid='id', tokenize='unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER message_text_new AFTER INSERT ON message WHEN NEW.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(rowid, text) VALUES (NEW.id, NEW.text); END""",
    """CREATE TRIGGER message_text_gone AFTER DELETE ON message WHEN OLD.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(message_text, rowid, text) VALUES ('delete', OLD.id, OLD.text); END""",
    """CREATE TRIGGER message_text_old AFTER UPDATE OF text, state ON message
           WHEN OLD.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(message_text, rowid, text) VALUES ('delete', OLD.id, OLD.text); END""",
    """CREATE TRIGGER message_text_set AFTER UPDATE OF text, state ON message
           WHEN NEW.state NOT IN ('waiting', 'running') BEGIN
           INSERT INTO message_text(rowid, text) VALUES (NEW.id, NEW.text); END""",
)
# PostgreSQL's: its vectors hold a megabyte at most, so only the beginning of a giant text is found. Its own parser
# would make one word of a.b or x/y, and tell a from ä; here words end at punctuation and Latin letters lose their
# accents, as they do in SQLite's index. The search calls the same function.
POSTGRESQL = (
    r"""CREATE FUNCTION message_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
           SELECT to_tsvector('simple', regexp_replace(
               CASE WHEN octet_length(left(said, 100000)) = char_length(left(said, 100000)) THEN left(said, 100000)
               ELSE normalize(regexp_replace(normalize(left(said, 100000), NFD),
                                             '(?<=[A-Za-z])[\u0300-\u036f]+', '', 'g'), NFC) END,
               '[!-/:-@[-`{-~\u00a1\u00ab\u00bb\u00bf\u2000-\u206f\u3000-\u303f]+', ' ', 'g')) $$""",
    f"CREATE INDEX message_text ON message USING gin (message_words(text)) WHERE NOT ({IS_LIVE})",
)


def upgrade() -> None:
    """From an empty database."""
    conversation()
    message()
    beside()
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def conversation() -> None:
    """Conversations, and the personas of their owners."""
    op.create_table(
        "conversation",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("head", NUMBER),
        sa.Column("system", sa.Text),
        sa.Column("persona", sa.JSON),
        sa.Column("extra", sa.JSON),
    )
    op.create_index("conversation_listing", "conversation", ["owner", "pinned", "updated"])
    op.create_table(
        "persona",
        sa.Column("owner", sa.String(200), primary_key=True),
        sa.Column("slug", sa.String(80), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("sentences", sa.JSON, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )


def message() -> None:
    """Create the table of messages, with its indexes."""
    op.create_table(
        "message",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column(
            "conversation_id", sa.String(64), sa.ForeignKey("conversation.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("parent_id", NUMBER, sa.ForeignKey("message.id")),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("backend", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("counted", sa.Boolean, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("ttft_ms", sa.Double),
        sa.Column("duration_ms", sa.Double),
        sa.Column("tokens_per_second", sa.Double),
        sa.Column("stop_reason", sa.Text),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("window", sa.Integer),
        sa.Column("dropped", sa.Integer, nullable=False),
        sa.Column("process", sa.String(100)),
        sa.Column("heartbeat", sa.Double),
        sa.Column("stopping", sa.Boolean, nullable=False),
        sa.Column("extra", sa.JSON),
        sqlite_autoincrement=True,
    )
    op.create_index("message_of_conversation", "message", ["conversation_id", "id"])
    op.create_index("message_parent", "message", ["parent_id"])
    live = sa.text(IS_LIVE)
    op.create_index("message_live", "message", ["heartbeat"], sqlite_where=live, postgresql_where=live)


def beside() -> None:
    """What hangs on a message."""
    op.create_table(
        "feedback",
        sa.Column("message_id", NUMBER, sa.ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "summary",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("message_id", NUMBER, sa.ForeignKey("message.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("backend", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("duration_ms", sa.Double),
    )
