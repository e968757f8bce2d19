"""What a model thought before it answered, how many tokens that took, and how long."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns; of replies so far nobody kept it."""
    op.add_column("message", sa.Column("thinking", sa.Text))
    op.add_column("message", sa.Column("thinking_tokens", sa.Integer))
    op.add_column("message", sa.Column("thinking_ms", sa.Double))
