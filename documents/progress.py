"""How far the reading of one file is, in words. Knows counts; nothing of files or of who waits."""

from dataclasses import dataclass


@dataclass(eq=False)
class Progress:
    """`done` of `of` pages, then of the passages that vectors are made of."""

    name: str
    done: int = 0
    of: int = 0
    what: str = "pages"

    @property
    def note(self) -> str:
        """How far it is."""
        return f"Reading {self.name}: {self.done} of {self.of} {self.what}…" if self.of > 1 else f"Reading {self.name}…"

    def told(self, done: int, of: int) -> None:
        """Called while it is read."""
        self.done, self.of = done, of

    def compared(self, done: int, of: int) -> None:
        """Called while vectors are made of its passages."""
        self.done, self.of, self.what = done, of, "passages"
