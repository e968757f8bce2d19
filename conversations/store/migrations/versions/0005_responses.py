"""Responses of the API, and the items of their input and output."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "response",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("previous_id", sa.String(64)),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False, index=True),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "response_item",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column(
            "response_id", sa.String(64), sa.ForeignKey("response.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("item_id", sa.String(64), index=True),
        sa.Column("is_output", sa.Boolean, nullable=False),
        sa.Column("item", sa.JSON, nullable=False),
    )
