"""Dialogues of one's own: a JSON object a line, or a list of them, plain or gzipped.

A dialogue is `turns` (with `source`, and `personas` where the speakers have them), `messages` as chat APIs have them,
or ShareGPT's `conversations`. `two_sided` may stand beside turns; the human corpora known by name have it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.dialogue import Dialogue
from training.sources._chat import LISTS, chat_dialogue
from training.sources._files import lines, matching_files, require_items

LICENCE = "the owner's"
TWO_SIDED = {"self-dialogue", "synthetic-persona-chat", "topical-chat", "personas"}
UNNAMED = "dialogues"  # the source of dialogues that name none
LINES, LISTED = (".jsonl", ".jsonl.gz"), (".json", ".json.gz")
BLANK = " \t\r\n\ufeff"


def read(raw: Path | None) -> Iterator[Dialogue]:
    """Dialogues of a file, or of every one in a folder. Raises ValueError naming file and line."""
    if raw is None:
        raise ValueError("dialogues: name your file (JSON lines with turns or messages): --raw dialogues=PATH")
    yield from require_items("dialogues", _every(raw), raw)


def _every(raw: Path) -> Iterator[Dialogue]:
    for path in _files(raw):
        for number, row in _rows(path):
            try:
                yield _dialogue(row)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: not a dialogue: {error}") from error


def _files(raw: Path) -> list[Path]:
    """Lists are looked for in a folder without JSON lines only: beside these, other JSON may lie."""
    has_lines = raw.is_dir() and any(path.name.endswith(LINES) for path in raw.rglob("*"))
    return matching_files("dialogues", raw, LINES if has_lines else (*LINES, *LISTED))


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The objects of a file, each with the line in which it begins. Raises ValueError naming file and line."""
    is_first = True
    for number, line in enumerate(lines(path), 1):
        text = line.strip(BLANK)
        if not text:
            continue
        if is_first and not _is_value(text):
            yield from _values(path)
            return
        is_first = False
        try:
            yield number, json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON ({_reason(error)})") from error


def _is_value(line: str) -> bool:
    """Whether a line is a JSON value of its own and no list: else the file is no JSON lines."""
    try:
        return not isinstance(json.loads(line), list)
    except (ValueError, RecursionError):
        return False


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    """The items of a list, and objects that go over several lines; read one by one."""
    text = "\n".join(lines(path))
    if text.strip(BLANK).startswith("[") and not text.strip(BLANK).endswith("]"):
        raise ValueError(f"{path}, line {text.count(chr(10)) + 1}: the list does not end: the file was cut short")
    decoder, at, line, counted = json.JSONDecoder(), 0, 1, 0
    while (at := _skip(text, at)) < len(text):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {_line_of(error, line)}: not JSON ({_reason(error)})") from error
        yield line, value


def _skip(text: str, at: int) -> int:
    """Where the next object begins: lists' own brackets and commas mean nothing here."""
    while at < len(text) and text[at] in f"{BLANK}[],":
        at += 1
    return at


def _line_of(error: BaseException, otherwise: int) -> int:
    return error.lineno if isinstance(error, json.JSONDecodeError) else otherwise


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "nested too deep"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _dialogue(row: Any) -> Dialogue:
    """Raises ValueError saying what of a row is no dialogue."""
    if not isinstance(row, dict):
        raise ValueError(f"it is {'a list' if isinstance(row, list) else ascii(row)[:60]}, not an object")
    source = str(row.get("source") or UNNAMED)
    if "turns" not in row and any(name in row for name in LISTS):
        return chat_dialogue(row, source)
    if "turns" not in row:
        names = ", ".join(ascii(name) for name in list(row)[:6]) or "nothing"
        raise ValueError(f"it has neither turns, messages nor conversations, but {names}")
    turns, personas = _texts(row["turns"], "turns"), row.get("personas") or []
    if not isinstance(personas, list) or len(personas) not in (0, 2):
        count = f"{len(personas)} personas" if isinstance(personas, list) else "personas of another type"
        raise ValueError(f"{count}, where two speakers have two or none")
    described = tuple(_texts(each, "personas") for each in personas)
    return Dialogue(source, turns, described, bool(row.get("two_sided", source in TWO_SIDED)))


def _texts(values: Any, name: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise ValueError(f"{name} should be a list of texts")
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half of a surrogate pair, which is no text") from None
    return tuple(v.strip() for v in values)
