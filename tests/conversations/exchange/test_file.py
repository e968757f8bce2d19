"""Files that are cut short, huge, hostile or not ours: one clear line each."""

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conversations.exchange import ExchangeError, parse, parse_file
from conversations.exchange.file import MAX_BYTES
from tests.conversations.exchange.made import chain, document, full, message


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.json", data)
    return packed.getvalue()


def ours(**fields: Any) -> bytes:
    """A file with one conversation of one message, some of its fields changed."""
    return json.dumps({"format": "llm-assistant", "version": 1, "conversations": [chain(1) | fields]}).encode()


def said(**fields: Any) -> bytes:
    """The same with fields of the message changed."""
    return ours(messages=[message(0) | fields])


def refused(data: bytes, name: str = "mine.json") -> str:
    with pytest.raises(ExchangeError) as caught:
        parse(data, name)
    line = str(caught.value)
    assert line.startswith(f"{name}: ")
    assert line.isprintable()
    assert len(line) < 400
    return line


GOOD = document(full(), chain(4))
NESTED = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\xef\xbb\xbf", "it is empty"),
        (GOOD[:-5], "ends in the middle: it was cut short"),
        (GOOD[: len(GOOD) // 2], "ends in the middle"),
        (b'{"format": "llm-assi', "ends in the middle"),
        (b"hello", "it is not JSON: Expecting value in line 1, column 1"),
        (b'{"a": 1} {"b": 2}', "it is not JSON: Extra data"),
        (GOOD.decode().encode("utf-16"), "it is not UTF-8 text (invalid start byte at byte 0); save it as UTF-8"),
        (b'["caf\xe9"]', "it is not UTF-8 text"),
        (NESTED, "it is nested too deep"),
        (b"[" * 100_000, "it is nested too deep"),
        (b"[1" + b"0" * 5000 + b"]", "it is not JSON that can be read"),
        (b"[NaN]", "NaN is no number"),
        (b'{"mapping": {"a": {}, "a": {}}}', "it has 'a' twice in one object"),
        (b"[]", "it holds no conversation"),
        (b"{}", "not a chat export that is known: this program, "),
        (b'[{"name": "x"}]', "not a chat export"),
        (b"7", "not a chat export"),
        (b'"conversations"', "not a chat export"),
        (b"# Soup\n\n> hi", "it is Markdown, for reading only: export with --format json"),
        (b"PK\x03\x04rubbish", "it is a zip that cannot be unpacked"),
        (zipped(conversations=GOOD)[:-40], "it is a zip that cannot be unpacked"),
        (zipped(user=b"{}"), "it is a zip without conversations.json"),
        (zipped(conversations=b"[" + b" " * 20_000_000 + b"]"), "would swell from"),
        (b'{"format": "llm-assistant", "version": 2, "conversations": []}', "its version is 2, this program reads 1"),
        (b'{"format": "llm-assistant", "version": 1}', "no list of conversations"),
        (b'{"format": "llm-assistant", "version": 1, "conversations": ["x"]}', "conversation 1 is 'x', not an object"),
    ],
)
def test_what_is_wrong_with_a_file(data: bytes, why: str) -> None:
    assert why in refused(data)


def test_an_export_of_nothing_is_taken_in() -> None:
    assert list(parse(b'{"format": "llm-assistant", "version": 1, "conversations": []}', "mine.json")) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (ours(title=5), "conversation 1: title: Input should be a valid string (5)"),
        (ours(created="1.0"), "created: Input should be a valid number ('1.0')"),
        (ours(created=1e300), "created: "),
        (ours(pinned=1), "pinned: "),
        (ours(owner="anna"), "owner: Extra inputs are not permitted"),
        (ours(id="../../etc"), "id: String should match"),
        (ours(kind="poem"), "kind: "),
        (ours(head=1), "head is 1, and there are 1 messages"),
        (ours(head=-1), "head: "),
        (ours(persona={"slug": "x"}), "persona: has to have slug, name, description and sentences"),
        (ours(persona={"slug": "../x", "name": "n", "description": "d", "sentences": ["s"]}), "persona"),
        (ours(extra=json.loads('{"a":' * 50 + "1" + "}" * 50)), "nested deeper than 40"),
        (ours().replace(b'"updated": 2.0', b'"extra": {"a": 1e999}, "updated": 2.0'), "not finite"),
        (ours(messages={}), "messages: "),
        (said(parent=0), "message 0 names 0 as its parent, which does not come before it"),
        (said(parent=5), "names 5 as its parent"),
        (said(number=3), "the message at place 0 is numbered 3"),
        (said(role="robot"), "messages.0.role: Input should be 'user', 'assistant', 'system' or 'tool' ('robot')"),
        (said(state="running"), "messages.0.state: "),
        (said(prompt_tokens=2**40), "messages.0.prompt_tokens: "),
        (said(text=None), "messages.0.text: "),
        (said(feedback={"value": 2, "created": 1.0}), "messages.0.feedback.value: "),
        (said(heartbeat=1.0), "messages.0.heartbeat: Extra inputs"),
        (ours(messages=[message(0), message(0)]), "the message at place 1 is numbered 0"),
        (ours(messages=[message(0, 1), message(1, 0)]), "message 0 names 1 as its parent"),
    ],
)
def test_what_is_wrong_with_a_conversation(data: bytes, why: str) -> None:
    assert why in refused(data)


def test_a_huge_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ExchangeError, match="has 4,000,000,001 bytes, at most 4,000,000,000 are read"):
        parse_file(path)


def test_a_zip_that_says_it_is_huge_is_not_unpacked() -> None:
    data = bytearray(zipped(conversations=GOOD))
    at = data.index(b"PK\x01\x02") + 24  # its unpacked size in the directory
    data[at : at + 4] = (MAX_BYTES + 1).to_bytes(4, "little")
    assert "has 4,000,000,001 bytes" in refused(bytes(data))


def test_a_zip_that_says_too_little_is_refused() -> None:
    data = bytearray(zipped(conversations=b"[" + b" " * 20_000_000 + b"]"))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    assert "cannot be unpacked" in refused(bytes(data))


def test_a_locked_zip_is_refused() -> None:
    data = bytearray(zipped(conversations=GOOD))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    assert "cannot be unpacked" in refused(bytes(data))


def test_a_name_that_is_no_line_is_shown_as_one() -> None:
    with pytest.raises(ExchangeError) as caught:
        parse(b"", "a\nb\x1b.json")
    assert str(caught.value) == r"'a\nb\x1b.json': it is empty"


def test_a_mark_at_the_beginning_does_no_harm() -> None:
    assert parse(b"\xef\xbb\xbf" + GOOD, "x") == parse(GOOD, "x")


def test_an_object_of_many_names_is_refused_at_once() -> None:
    names = ",".join(f'"name {n}": 0' for n in [*range(100_000), 99_999])
    begun = time.monotonic()
    refused(b"{" + names.encode() + b"}")
    assert time.monotonic() - begun < 3
