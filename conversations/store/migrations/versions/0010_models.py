"""What answers in a conversation, where somebody picked it: a backend, or one of its models."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; in a conversation of before, nobody picked anything."""
    op.add_column("conversation", sa.Column("backend", sa.Text))
    op.add_column("conversation", sa.Column("model", sa.Text))
