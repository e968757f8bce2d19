"""Conversations that wait to be written: a few in memory, more in a temporary file. Knows no form."""

import pickle
import weakref
from collections.abc import Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any, overload

IN_MEMORY = 8_000_000  # bytes; more lie in a file that nobody else can open


class Spool(Sequence[dict[str, Any]]):
    """Conversations in their order; each is read when it is asked for, so one is changed here alone."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (it goes with the spool)
        self._ends = [0]
        weakref.finalize(self, self._file.close)

    def append(self, conversation: dict[str, Any]) -> None:
        """Put one behind the others."""
        self._file.seek(self._ends[-1])
        self._ends.append(self._ends[-1] + self._file.write(pickle.dumps(conversation)))

    def cut(self, length: int) -> None:
        """Leave the first ones alone."""
        del self._ends[length + 1 :]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """One conversation, or some."""
        if isinstance(at, slice):
            return [self._read(each) for each in range(*at.indices(len(self)))]
        return self._read(range(len(self))[at])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All of them, one in memory at a time."""
        return map(self._read, range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether the same conversations stand in another sequence."""
        return isinstance(other, Spool | list) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _read(self, at: int) -> dict[str, Any]:
        begins, ends = self._ends[at : at + 2]
        self._file.seek(begins)
        read: dict[str, Any] = pickle.loads(self._file.read(ends - begins))  # nobody else has written there
        return read
