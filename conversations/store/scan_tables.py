"""The tables of what is read from pictures: small ones of pages that are kept, and files under way. Knows no query."""

from sqlalchemy import Double, ForeignKey, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from conversations.store.schema import Base, CleanString, CleanText


class PagePicture(Base):
    """A small picture of a document's page that was read from one, as WebP."""

    __tablename__ = "page_picture"

    document_id: Mapped[str] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"), primary_key=True)
    page: Mapped[int] = mapped_column(Integer, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Scan(Base):
    """A file whose pages are being read from pictures, by `process`, which says so with its `heartbeat`.

    It is gone once the document is there, or cannot be. `digest` is SHA-256 of `data`.
    """

    __tablename__ = "scan"

    id: Mapped[str] = mapped_column(CleanString(64), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(200), index=True)
    conversation_id: Mapped[str | None] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(CleanText)
    digest: Mapped[str] = mapped_column(CleanString(64))
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    created: Mapped[float] = mapped_column(Double)
    process: Mapped[str] = mapped_column(CleanString(100))
    heartbeat: Mapped[float] = mapped_column(Double)


class ScanPage(Base):
    """A page of it that is done, as `documents.part` writes it."""

    __tablename__ = "scan_page"

    scan_id: Mapped[str] = mapped_column(ForeignKey("scan.id", ondelete="CASCADE"), primary_key=True)
    page: Mapped[int] = mapped_column(Integer, primary_key=True)
    part: Mapped[str] = mapped_column(CleanText)
