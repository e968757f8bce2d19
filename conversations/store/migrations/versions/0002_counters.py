"""Counters of the API's limits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table of counters."""
    op.create_table(
        "counter",
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_index("counter_expires", "counter", ["expires"])
