"""Projects: folders of conversations, with a system prompt or a persona, documents, backend and tools of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

COLUMN = "ALTER TABLE {} ADD COLUMN project_id VARCHAR(64) REFERENCES project (id) ON DELETE {}"


def upgrade() -> None:
    """Create the table; the columns in the words that both databases know: SQLite adds no constraint later."""
    op.create_table(
        "project",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("system", sa.Text),
        sa.Column("persona", sa.JSON),
        sa.Column("backend", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("tools", sa.JSON),
        sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    for table, rule in (("conversation", "SET NULL"), ("document", "CASCADE"), ("scan", "CASCADE")):
        op.execute(COLUMN.format(table, rule))
    for table in ("document", "scan"):
        op.create_index(f"ix_{table}_project_id", table, ["project_id"])
    op.create_index("conversation_of_project", "conversation", ["project_id", "pinned", "updated"])
    outside = sa.text("project_id IS NULL")
    op.create_index(
        "conversation_outside",
        "conversation",
        ["owner", "pinned", "updated"],
        sqlite_where=outside,
        postgresql_where=outside,
    )
