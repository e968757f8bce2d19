"""The tables of pictures that models are shown: each once for its owner, and what has it. Knows no query.

A trigger deletes a picture with the last message or item of a response that has it, whatever deleted that.
"""

from sqlalchemy import Double, ForeignKey, ForeignKeyConstraint, Index, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from conversations.store.schema import Base, CleanString, CleanText


class StoredPicture(Base):
    """A picture of an owner, as it is shown to models; `digest` is SHA-256 of `data`."""

    __tablename__ = "picture"

    owner: Mapped[str] = mapped_column(CleanString(200), primary_key=True)
    digest: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    mime_type: Mapped[str] = mapped_column(CleanString(40))
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created: Mapped[float] = mapped_column(Double)


class MessagePicture(Base):
    """A picture of a message: which one of it (`rank`, from 0), and how much of the text stands before it.

    `name` is that of the file in which this one came.
    """

    __tablename__ = "message_picture"
    __table_args__ = (
        ForeignKeyConstraint(["owner", "digest"], ["picture.owner", "picture.digest"]),
        Index("message_picture_use", "owner", "digest"),
    )

    message_id: Mapped[int] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"), primary_key=True)
    rank: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200))
    digest: Mapped[str] = mapped_column(CleanString(64))
    name: Mapped[str] = mapped_column(CleanText)
    position: Mapped[int] = mapped_column(Integer, default=0, server_default="0")


class ItemPicture(Base):
    """A picture that an item of a kept response names, however often."""

    __tablename__ = "item_picture"
    __table_args__ = (
        ForeignKeyConstraint(["owner", "digest"], ["picture.owner", "picture.digest"]),
        Index("item_picture_use", "owner", "digest"),
    )

    number: Mapped[int] = mapped_column(ForeignKey("response_item.number", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200))
