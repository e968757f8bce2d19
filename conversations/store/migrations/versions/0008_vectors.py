"""How many passages of a document have a vector: they follow in the background, some at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; what had vectors had one for every passage."""
    op.add_column("document", sa.Column("vectors", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE document SET vectors = passages WHERE embedding IS NOT NULL")
