"""Documents, their passages, and which of them a reply was made from."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of documents, passages and citations."""
    op.create_table(
        "document",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("conversation_id", sa.String(64), sa.ForeignKey("conversation.id", ondelete="CASCADE"), index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("pages", sa.Integer),
        sa.Column("passages", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("embedding", sa.Text),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "passage",
        sa.Column("id", NUMBER, primary_key=True, autoincrement=True),
        sa.Column(
            "document_id", sa.String(64), sa.ForeignKey("document.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("page", sa.Integer),
        sa.Column("begins", sa.Integer, nullable=False),
        sa.Column("ends", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary),
    )
    op.create_table(
        "citation",
        sa.Column("message_id", NUMBER, sa.ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("passage_id", NUMBER, sa.ForeignKey("passage.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("score", sa.Double, nullable=False),
    )
