"""Calls of tools, which tools a conversation has switched on and may use unasked, and which messages a file brought."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_OPEN = "status IN ('waiting', 'running')"


def upgrade() -> None:
    """Create the table and add the columns; of messages so far nobody knows who brought them."""
    op.create_table(
        "tool_call",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("message_id", NUMBER, sa.ForeignKey("message.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("strange", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("passage", sa.JSON),
        sa.Column("asked", sa.Double, nullable=False),
        sa.Column("expires", sa.Double),
        sa.Column("decided", sa.Double),
        sa.Column("finished", sa.Double),
        sa.Column("decided_by", sa.String(24)),
    )
    is_open = sa.text(IS_OPEN)
    op.create_index("tool_call_open", "tool_call", ["message_id"], sqlite_where=is_open, postgresql_where=is_open)
    op.add_column("conversation", sa.Column("tools", sa.JSON))
    op.add_column("conversation", sa.Column("grants", sa.JSON))
    op.add_column("message", sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()))
