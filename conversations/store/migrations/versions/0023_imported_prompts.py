"""Whether a file brought a conversation's system prompt: who wrote it may have written instructions.

Of older ones an import is known by what it brought beside the prompt.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

BROUGHT = """
    UPDATE conversation SET imported = true WHERE system IS NOT NULL AND (extra IS NOT NULL OR EXISTS
    (SELECT 1 FROM message WHERE message.conversation_id = conversation.id AND message.imported))
"""


def upgrade() -> None:
    """Add the column, and fill it."""
    op.add_column("conversation", sa.Column("imported", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(BROUGHT)
