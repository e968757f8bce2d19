"""Bytes to text, at every way to cut the same bytes."""

from collections.abc import Iterator

import pytest

from backends.local.decoder import StreamDecoder


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """The bytes in one piece, one by one, and in two at every place."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]


@pytest.mark.parametrize(
    ("said", "stop", "strip", "shown", "stopped"),
    [
        ("plain words", [], False, "plain words", False),
        ("héllo \U0001f600 wörld", ["zzz"], False, "héllo \U0001f600 wörld", False),
        ("one\nUser: two", ["\nUser:"], False, "one", True),
        ("one\nUse no stop", ["\nUser:"], False, "one\nUse no stop", False),
        ("ends like a\nUser", ["\nUser:"], False, "ends like a\nUser", False),
        ("\nUser: at once", ["\nUser:"], True, "", True),
        ("  \n spaces first", [], True, "spaces first", False),
        (" \n ", [], True, "", False),
        ("first of two stops", ["two", "of"], False, "first ", True),
        ("aab", ["ab"], False, "a", True),
    ],
)
def test_however_it_is_cut(said: str, stop: list[str], strip: bool, shown: str, stopped: bool) -> None:
    for pieces in cuts(said.encode()):
        text = StreamDecoder(stop, strip=strip)
        parts: list[str] = []
        for piece in pieces:
            if not text.stopped:
                parts.append(text.push(piece))
        parts.append(text.close())
        assert ("".join(parts), text.stopped) == (shown, stopped)
        assert "\ufffd" not in "".join(parts)


def test_bytes_that_are_no_text_are_marked_at_the_end() -> None:
    text = StreamDecoder()
    assert text.push(b"a\xc3") == "a"
    assert text.close() == "\ufffd"
