"""Where a passage stands, in words: what a sheet or a chapter has, as well as a page."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; passages with a page stand at it."""
    op.add_column("passage", sa.Column("place", sa.Text))
    op.execute("UPDATE passage SET place = 'page ' || CAST(page AS VARCHAR) WHERE page IS NOT NULL")
