"""A response of the API that called tools of this server tells a reply of a conversation."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the column, in the words that both databases know: SQLite adds no constraint later."""
    number = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(f"ALTER TABLE response ADD COLUMN message_id {number} REFERENCES message (id) ON DELETE CASCADE")
    op.create_index("ix_response_message_id", "response", ["message_id"])
