"""Columns by the words that everybody uses: where a passage starts and ends, and the rank of a citation."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Both databases rename a column without touching a row; keys and indexes follow it."""
    op.execute('ALTER TABLE passage RENAME COLUMN begins TO "start"')
    op.execute('ALTER TABLE passage RENAME COLUMN ends TO "end"')
    op.execute('ALTER TABLE citation RENAME COLUMN place TO "rank"')
