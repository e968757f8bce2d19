"""Tokens' bytes to text: split UTF-8 is held back, stop strings end the reply. Knows no model."""

import codecs
from collections.abc import Sequence


class Text:
    """A reply growing byte by byte; `push` and `close` return what is safe to show."""

    def __init__(self, stop: Sequence[str] = (), *, strip: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stop = [s for s in stop if s]
        self._strip = strip
        self._held = ""
        self.stopped = False

    def push(self, data: bytes) -> str:
        """Text that can no longer become part of a stop string; sets `stopped` where one is complete."""
        self._held += self._decoder.decode(data)
        return self._release()

    def close(self) -> str:
        """What was held back when the tokens ended."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(b"", final=True)
        shown = self._release()
        if not self.stopped:
            shown, self._held = shown + self._stripped(self._held), ""
        return shown

    def _release(self) -> str:
        found = min((at for s in self._stop if (at := self._held.find(s)) >= 0), default=-1)
        if found >= 0:
            self.stopped = True
            shown, self._held = self._held[:found], ""
            return self._stripped(shown)
        cut = len(self._held) - self._overlap()
        shown, self._held = self._held[:cut], self._held[cut:]
        return self._stripped(shown)

    def _stripped(self, shown: str) -> str:
        """Without the white space before the first visible character; stop strings are sought before that."""
        if self._strip:
            shown = shown.lstrip()
            self._strip = not shown
        return shown

    def _overlap(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        for size in range(min(longest, len(self._held)), 0, -1):
            if any(s.startswith(self._held[-size:]) for s in self._stop):
                return size
        return 0
