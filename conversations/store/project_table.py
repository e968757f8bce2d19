"""The table of projects: folders of an owner's conversations, with what holds in each of them. Knows no query."""

from typing import Any

from sqlalchemy import JSON, Boolean, Double, false
from sqlalchemy.orm import Mapped, mapped_column

from conversations.store.schema import Base, CleanString, CleanText


class Project(Base):
    """A folder of conversations; what is None here is as the app has it, what a conversation says itself goes before.

    `imported`: a file brought its system prompt or persona, which a stranger may have written.
    """

    __tablename__ = "project"

    id: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200), index=True)
    name: Mapped[str] = mapped_column(CleanText)
    created: Mapped[float] = mapped_column(Double)
    updated: Mapped[float] = mapped_column(Double)
    system: Mapped[str | None] = mapped_column(CleanText)
    persona: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    backend: Mapped[str | None] = mapped_column(CleanText)
    model: Mapped[str | None] = mapped_column(CleanText)
    tools: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    imported: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
