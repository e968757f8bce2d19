"""Pictures that models are shown: each once for its owner, deleted with the last message that has it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SAME = "owner = OLD.owner AND digest = OLD.digest"
UNUSED = f"DELETE FROM picture WHERE {SAME} AND NOT EXISTS (SELECT 1 FROM message_picture WHERE {SAME})"
SQLITE = (f"CREATE TRIGGER picture_unused AFTER DELETE ON message_picture BEGIN {UNUSED}; END",)
# The lock first: somebody may be giving the picture to another message, which the next statement then sees.
POSTGRESQL = (
    f"""CREATE FUNCTION delete_unused_picture() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM 1 FROM picture WHERE {SAME} FOR UPDATE; {UNUSED}; RETURN NULL; END $$""",
    """CREATE TRIGGER picture_unused AFTER DELETE ON message_picture
        FOR EACH ROW EXECUTE FUNCTION delete_unused_picture()""",
)


def upgrade() -> None:
    """Create the tables, and what deletes a picture that nobody has any more."""
    op.create_table(
        "picture",
        sa.Column("owner", sa.String(200), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("mime_type", sa.String(40), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "message_picture",
        sa.Column("message_id", NUMBER, sa.ForeignKey("message.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["owner", "digest"], ["picture.owner", "picture.digest"]),
    )
    op.create_index("message_picture_use", "message_picture", ["owner", "digest"])
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
