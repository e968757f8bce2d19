"""Whether a file brought a saved persona: who wrote it may have written instructions. Of older ones nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the column."""
    op.add_column("persona", sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()))
