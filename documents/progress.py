"""How far the reading of one file is, in words. Knows counts; nothing of files or of who waits."""

from dataclasses import dataclass


@dataclass(eq=False)
class Progress:
    """`done` of `of` pages, then of the passages that vectors are made of."""

    name: str
    done: int = 0
    total: int = 0
    unit: str = "pages"
    notice: str | None = None  # what of the file is missing

    @property
    def label(self) -> str:
        """The progress as a line for people."""
        return (
            f"Reading {self.name}: {self.done} of {self.total} {self.unit}…"
            if self.total > 1
            else f"Reading {self.name}…"
        )

    def set_pages(self, done: int, of: int) -> None:
        """Called while it is read."""
        self.done, self.total = done, of

    def set_notice(self, notice: str) -> None:
        """Called where something of it could not be read."""
        self.notice = notice

    def set_passages(self, done: int, of: int) -> None:
        """Called while vectors are made of its passages."""
        self.done, self.total, self.unit = done, of, "passages"
