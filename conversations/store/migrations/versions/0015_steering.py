"""How much a conversation's models are asked to think, and that somebody wants a reply's answer now."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns; so far models thought as they liked."""
    op.add_column("conversation", sa.Column("reasoning_effort", sa.String(16)))
    op.add_column("message", sa.Column("answering", sa.Boolean, nullable=False, server_default=sa.false()))
