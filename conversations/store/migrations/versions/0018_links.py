"""Links to conversations as they stood."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the table."""
    conversation = sa.ForeignKey("conversation.id", ondelete="CASCADE")
    op.create_table(
        "shared_link",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("conversation_id", sa.String(64), conversation, nullable=False, index=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False, index=True),
        sa.Column("branches", sa.Boolean, nullable=False),
        sa.Column("documents", sa.Boolean, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
