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


@pytest.mark.parametrize(
    ("tokens", "shown"),
    [
        ([b"a\xc3"], "a"),
        ([b"a", b" \xf0\x9f"], "a"),
        ([b"a", b" \xf0", b"\x9f", b"\x98"], "a"),
        ([b"a ", b"\xe6\x97"], "a "),
        ([b"a\n", b"\n\xe6\x97"], "a\n"),
        ([b"\xd0"], ""),
        ([b"\xe3\x83\xbc\xe3\x83"], "\u30fc"),
        ([b"a", b" \xf0\x9f", b"\x98\x80"], "a \U0001f600"),
        ([b"a", b" \xf0\x9f", b"\x98\x80 ", b"\xc3"], "a \U0001f600 "),
        ([b"a \xff b"], "a \ufffd b"),
        ([b"a ", b"\xf0\x9f", b"b"], "a \ufffdb"),
    ],
)
def test_a_letter_that_was_cut_is_left_out_and_only_what_is_none_is_marked(tokens: list[bytes], shown: str) -> None:
    text = StreamDecoder()
    assert "".join([text.push(token) for token in tokens]) + text.close() == shown
