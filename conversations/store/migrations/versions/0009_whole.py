"""Whether a conversation's documents are to be read whole, where they fit, or by passages."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; so far all were read by passages."""
    op.add_column("conversation", sa.Column("whole", sa.Boolean, nullable=False, server_default=sa.false()))
