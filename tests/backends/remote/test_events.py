"""Rows out of bytes: the same ones, wherever a packet ends."""

import random

from backends.remote.events import Event, EventDecoder

SENT = (
    '\ufeff: hello\r\n\r\nevent: one\r\ndata: {"a": "é\u2028你"}\r\n\r\n'
    'data: {"b":\ndata:  1}\n\ndata:{"choices": []}\ndata: [DONE]\rid: 7\r\r'
    '{"c": 2}\n{\n  "d": 3\n}\ndata: data: {"e": 4}\n\nevent: error\n'
    'data: out of\ndata: memory\n\nplain words\n\ndata: {"f": 5}'
)
READ = [
    Event("one", {"a": "é\u2028你"}, True),
    Event("", {"b": 1}, True),
    Event("", {"choices": []}, True),
    Event("", "[DONE]", False),
    Event("", {"c": 2}, True, is_bare=True),
    Event("", {"d": 3}, True, is_bare=True),
    Event("", {"e": 4}, True),
    Event("error", "out of\nmemory", False),
    Event("", "plain words", False, is_bare=True),
    Event("", {"f": 5}, True),
]


def decode(*parts: bytes, charset: str | None = None) -> list[Event]:
    decoder = EventDecoder(charset)
    events = [event for part in parts for event in decoder.feed(part)]
    return [*events, *decoder.finish()]


def test_rows_in_every_form() -> None:
    assert decode(SENT.encode()) == READ


def test_packets_end_anywhere() -> None:
    data, rng = SENT.encode(), random.Random(1)
    assert decode(*(data[at : at + 1] for at in range(len(data)))) == READ
    for _ in range(200):
        cuts = sorted(rng.randrange(len(data)) for _ in range(rng.randrange(1, 9)))
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert decode(*parts) == READ


def test_a_row_is_there_as_soon_as_its_line_ends() -> None:
    decoder = EventDecoder()
    assert list(decoder.feed(b'data: {"a": 1}')) == []
    assert [event.value for event in decoder.feed(b"\n")] == [{"a": 1}]


def test_a_row_that_broke_does_not_take_the_next_one_with_it() -> None:
    rows = decode(b'data: {"choices": [\ndata: {"choices": []}\n\n')
    assert [(event.is_json, event.value) for event in rows] == [(False, '{"choices": ['), (True, {"choices": []})]


def test_bytes_that_are_no_text_are_read_all_the_same() -> None:
    assert decode(b'data: "\xe9"\n')[0].value == "\ufffd"
    assert decode(b'data: "\xe9"\n', charset="latin-1")[0].value == "é"
    assert decode(b'data: "\xe9"\n', charset="no-such")[0].value == "\ufffd"


def test_nothing_is_no_row() -> None:
    assert decode(b"", b"\n\r\n\r", b":\n\n", b"data\n\n", b"data:\n\n", b"event: x\n\n", b"retry: 9\n\n") == []
