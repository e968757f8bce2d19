"""Bytes of tokens to text: a letter in pieces is held back until it is whole, stop strings end the reply.

Knows no model.
"""

import codecs
from collections.abc import Sequence


class StreamDecoder:
    """A reply growing byte by byte; `push` and `close` return text that no later byte can change."""

    def __init__(self, stop: Sequence[str] = (), *, ends: Sequence[str] = (), strip: bool = False) -> None:
        """`ends` are the template's own, where text says that a turn is over, and end the reply like `stop`.

        `strip`: leave out white space before the first visible character.
        """
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._asked = frozenset(stop)
        self._stop = [s for s in (*stop, *ends) if s]
        self._strip = strip
        self._held = self._space = ""
        self.stopped = False
        self.stop_sequence: str | None = None  # the one of `stop` that ended the reply

    def push(self, data: bytes) -> str:
        """The text that can no longer become part of a stop string; sets `stopped` where one is complete."""
        text = self._space + self._decoder.decode(data)
        # White space that came in one token with the beginning of a letter waits for its end.
        shown = text.rstrip() if self._decoder.getstate()[0] else text
        self._held, self._space = self._held + shown, text[len(shown) :]
        return self._release()

    def close(self) -> str:
        """The text that was held back when the tokens ended.

        The beginning of a letter is left out, with the space of its token: who goes on from there says all of it.
        """
        if self.stopped:
            return ""
        text = self._release()
        if not self.stopped:
            text, self._held = text + self._strip_start(self._held), ""
        return text

    def _release(self) -> str:
        end, found = min(((at, s) for s in self._stop if (at := self._held.find(s)) >= 0), default=(-1, ""))
        if end >= 0:
            self.stopped = True
            self.stop_sequence = found if found in self._asked else None
            text, self._held = self._held[:end], ""
            return self._strip_start(text)
        cut = len(self._held) - self._overlap()
        text, self._held = self._held[:cut], self._held[cut:]
        return self._strip_start(text)

    def _strip_start(self, text: str) -> str:
        """Without the white space before the first visible character; stop strings are sought before that."""
        if self._strip:
            text = text.lstrip()
            self._strip = not text
        return text

    def _overlap(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(s.startswith(self._held[-size:]) for s in self._stop):
                return size
        return 0
