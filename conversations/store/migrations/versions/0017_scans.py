"""Pages read from pictures: where the lines of a passage stand, a small picture of each, and those under way."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Create the tables; what was kept so far has no regions."""
    op.add_column("passage", sa.Column("region", sa.JSON))
    document = sa.ForeignKey("document.id", ondelete="CASCADE")
    op.create_table(
        "page_picture",
        sa.Column("document_id", sa.String(64), document, primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "scan",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("conversation_id", sa.String(64), sa.ForeignKey("conversation.id", ondelete="CASCADE"), index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("process", sa.String(100), nullable=False),
        sa.Column("heartbeat", sa.Double, nullable=False),
    )
    op.create_table(
        "scan_page",
        sa.Column("scan_id", sa.String(64), sa.ForeignKey("scan.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("page", sa.Integer, primary_key=True),
        sa.Column("part", sa.Text, nullable=False),
    )
