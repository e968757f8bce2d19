"""The table of links to conversations as they stood. Knows no query."""

from typing import Any

from sqlalchemy import JSON, Boolean, Double, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from conversations.store.schema import Base, CleanString, CleanText


class SharedLink(Base):
    """A link that opens `body` until `expires`; `digest` is the hash of its token, which is kept nowhere.

    `branches`: it shows all of them; `documents`: with what replies were made from. It goes with its conversation.
    """

    __tablename__ = "shared_link"

    id: Mapped[str] = mapped_column(CleanString(16), primary_key=True)
    digest: Mapped[str] = mapped_column(CleanString(64), unique=True)
    owner: Mapped[str] = mapped_column(CleanString(200), index=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(CleanText)
    created: Mapped[float] = mapped_column(Double)
    expires: Mapped[float] = mapped_column(Double, index=True)
    branches: Mapped[bool] = mapped_column(Boolean)
    documents: Mapped[bool] = mapped_column(Boolean)
    body: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
