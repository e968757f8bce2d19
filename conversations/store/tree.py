"""Messages as a tree: which branch is shown, and what lies beside it. Knows numbers and parents; no text, no table."""

from collections.abc import Iterable


class Tree:
    """Built from pairs of a message's number and its parent's; a smaller number is older."""

    def __init__(self, links: Iterable[tuple[int, int | None]]) -> None:
        self.parents = dict(sorted(links))
        self.children: dict[int | None, list[int]] = {}
        for number, parent in self.parents.items():
            self.children.setdefault(parent, []).append(number)

    def path(self, head: int | None) -> list[int]:
        """From the first message to `head`; without a head, to the newest leaf."""
        at = head if head in self.parents else self.leaf(None)
        path: list[int] = []
        while at is not None:
            path.append(at)
            at = self.parents[at]
        return path[::-1]

    def leaf(self, message_id: int | None) -> int | None:
        """The end of the newest branch below a message (None: of the whole tree)."""
        while below := self.children.get(message_id):
            message_id = below[-1]
        return message_id

    def siblings(self, message_id: int) -> list[int]:
        """A message and its alternatives, oldest first."""
        return self.children[self.parents[message_id]]
