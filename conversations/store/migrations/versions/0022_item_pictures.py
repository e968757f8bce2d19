"""Pictures in kept responses: each once for its owner as those of messages are, deleted with the last that has it."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
USERS = ("message_picture", "item_picture")  # which name pictures; the trigger on the first is there
SAME = "owner = OLD.owner AND digest = OLD.digest"
UNUSED = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} WHERE {SAME})" for table in USERS)
DELETION = f"DELETE FROM picture WHERE {SAME} AND {UNUSED}"
SQLITE = (
    "DROP TRIGGER picture_unused",
    *(f"CREATE TRIGGER {table}_unused AFTER DELETE ON {table} BEGIN {DELETION}; END" for table in USERS),
)
# The lock first: somebody may be giving the picture to another one, which the next statement then sees.
POSTGRESQL = (
    f"""CREATE OR REPLACE FUNCTION delete_unused_picture() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM 1 FROM picture WHERE {SAME} FOR UPDATE; {DELETION}; RETURN NULL; END $$""",
    """CREATE TRIGGER item_picture_unused AFTER DELETE ON item_picture
        FOR EACH ROW EXECUTE FUNCTION delete_unused_picture()""",
)


def upgrade() -> None:
    """Create the table, and have a picture stay as long as a message or an item has it."""
    op.create_table(
        "item_picture",
        sa.Column("number", NUMBER, sa.ForeignKey("response_item.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["owner", "digest"], ["picture.owner", "picture.digest"]),
    )
    op.create_index("item_picture_use", "item_picture", ["owner", "digest"])
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
