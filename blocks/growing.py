"""A text that grows, as blocks of HTML, of which only the last ones are read again. Knows nothing of who watches.

1. Plain words that go on with a line stand where they would: before the end of the last block.
2. Of everything else the open blocks are read again, from the last closed one on. A block is closed once a later one
   has begun with a whole line, and no formula is open before it: nothing that comes can change it, but a definition of
   a link's address, with which the whole text is read each time.
"""

import re
from html import escape

from blocks.markdown import Blocks, block_starts, parse, write

DEFINITION = re.compile(r"^[ ]{0,3}\[[^\]\n]+\]:", re.MULTILINE)
FORMULA_MARK = re.compile(r"(?<!\\)(?:\$\$|\\[\[\]()])")
BEGUN_LINE = re.compile(r"[^\W\d_]{2,}[^\n`~|]*[ ][^\n]*\Z")  # a line of words, which is what it is
NEAR = 200  # characters at the end of a text, and of a block, that say how it goes on
LAST_WORD = re.compile(r"[^\W_]*\Z")
PLAIN = re.compile(
    r"[^\W_]*(?:(?:[.,;?]*[ ])+(?:[^\W_]+))*[.,;?]*[ ]*"
)  # words, and marks that say nothing in Markdown
CLOSING = re.compile(r"(?:</(?:p|li|ul|ol|blockquote|h[1-6])>\n?)+\Z")


class GrowingText:
    """The blocks of a text so far. Not for several threads at once."""

    def __init__(self) -> None:
        self.blocks: Blocks = ()
        self._closed: list[str] = []
        self._text, self._at, self._lines = "", 0, 0
        self._is_defining = False  # whether a link's address is defined

    def update(self, text: str) -> Blocks:
        """The blocks of the whole text, which begins as the one before it did, or replaces it."""
        before, self._text = self._text, text
        if text.startswith(before) and self._add_plain(before, text[len(before) :]):
            return self.blocks
        self._look_for_definitions(before)
        if text.count("\n", self._at) != self._lines:
            self._close(text[self._at :])
            self._lines = text.count("\n", self._at)
        self.blocks = (*self._closed, *write(parse(text[self._at :]), growing=True))
        return self.blocks

    def _look_for_definitions(self, before: str) -> None:
        """Open every block again where the text is another, or where words in it have become links."""
        is_same = self._text.startswith(before[: self._at])
        if not self._is_defining or not is_same:
            start = self._text.rfind("\n", 0, len(before)) + 1 if is_same else 0
            self._is_defining = DEFINITION.search(self._text, start) is not None
        if not is_same or self._is_defining:
            self._closed, self._at, self._lines = [], 0, 0

    def _add_plain(self, before: str, added: str) -> bool:
        """Whether what was added could be put at the end of the last block. Looks at ends alone, however long it is."""
        tail = before[-NEAR:]
        word = LAST_WORD.search(tail)
        if (
            word is None
            or not BEGUN_LINE.search(tail, tail.rfind("\n") + 1)
            or tail[word.start() - 1 : word.start()] != " "
            or "www" in (word[0] + added).lower()
            or not PLAIN.fullmatch(added)
            or len(self.blocks) <= len(self._closed)
        ):
            return False
        last = self.blocks[-1]
        end = CLOSING.search(last, max(0, len(last) - NEAR))
        if end is None or last[end.start() - 1] in ">\n":  # a space behind a formula may be none
            return False
        spaces = tail[len(tail.rstrip(" ")) :] if added.strip() else ""
        grown = last[: end.start()] + escape(spaces + added.rstrip(" ")) + end[0]
        self.blocks = (*self.blocks[:-1], grown)
        return True

    def _close(self, rest: str) -> None:
        """Move what can change no more to the closed blocks."""
        end = self._closable(rest)
        if end:
            self._closed += write(parse(rest[:end]))
            self._at += end

    def _closable(self, rest: str) -> int:
        """The characters of the rest up to the last block that has begun with a whole line, if all is closed there."""
        whole = rest.count("\n")  # lines that have ended
        if whole < 2 or self._is_defining:
            return 0
        begun = [line for line in block_starts(rest) if 0 < line < whole]
        lines = rest.split("\n")
        for line in reversed(begun):
            before = "\n".join([*lines[:line], ""])
            if _is_balanced(before):
                return len(before)
        return 0


def _is_balanced(text: str) -> bool:
    """Whether every formula that begins in a text ends there."""
    marks = FORMULA_MARK.findall(text)
    pairs = (("\\[", "\\]"), ("\\(", "\\)"))
    return marks.count("$$") % 2 == 0 and all(marks.count(first) == marks.count(last) for first, last in pairs)
