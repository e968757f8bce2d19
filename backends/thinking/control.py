"""Ends the thinking of one reply from outside, for somebody who wants the answer now. Knows no model and no token."""


class ThinkingControl:
    """Travels with a reply's requests. Any thread may end the thinking; the engine looks here before each token."""

    def __init__(self) -> None:
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether the reply may think no more."""
        return self._is_over

    def end(self) -> None:
        """Have the reply end its thinking, now or as soon as it begins to think, and answer."""
        self._is_over = True
