"""Halves of a surrogate pair, which some servers send in two pieces of a text. Knows characters; nothing of rows."""

HIGH = range(0xD800, 0xDC00)


class SurrogateJoiner:
    """Pieces of one text, each without a half of a pair at its end: that is held back until the other half comes."""

    def __init__(self) -> None:
        self._held = ""

    def join(self, piece: str) -> str:
        """The piece with the half before it, as far as its characters are whole."""
        text = self._held + piece
        self._held = text[-1:] if text and ord(text[-1]) in HIGH else ""
        return repair_surrogates(text[: len(text) - len(self._held)])

    def finish(self) -> str:
        """What was held back: half a character is none, and is shown as such."""
        held, self._held = self._held, ""
        return repair_surrogates(held)


def repair_surrogates(text: str) -> str:
    """A text whose halves are joined where two stand together; one alone becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
