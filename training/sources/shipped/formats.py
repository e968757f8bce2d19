"""The forms of the files behind the shipped model: one function each, from a file to (turns, personas).

Knows no repository. All raise ValueError naming file and line or place.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from training.sources._files import lines

Parsed = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]

SPOKEN = re.compile(r"\s*User ([12]):\s*(.*)")
EMPTY = "{}"  # what the crowd-work platform writes for no answer
MALFORMED = (KeyError, TypeError, IndexError, AttributeError)


def self_dialogue(path: Path) -> Iterator[Parsed]:
    """CSV of crowd work, a dialogue a row, its sentences in columns out of order; rejected work is left out."""
    blocked = _blocked(path.parents[2] / "blocked_workers.txt")
    for row in _table(path, ("WorkerId", "Answer.sentence1")):
        if not row.get("Reject") and row["WorkerId"] not in blocked:
            count = sum(str(key).startswith("Answer.sentence") for key in row)
            answers = (row.get(f"Answer.sentence{i}") or "" for i in range(1, count + 1))
            yield tuple(s for s in map(_single, answers) if s not in ("", EMPTY)), ()


def synthetic_persona_chat(path: Path) -> Iterator[Parsed]:
    """CSV of two personas, a sentence a line, and a conversation whose lines begin `User 1:` or `User 2:`."""
    columns = ("user 1 personas", "user 2 personas", "Best Generated Conversation")
    for row in _table(path, columns):
        first, second, talk = (row[column] or "" for column in columns)
        turns = [(m[1], _single(m[2])) for m in map(SPOKEN.match, talk.splitlines()) if m]
        yield _alternating(turns, "1"), (_sentences(first), _sentences(second))


def schema_guided(path: Path) -> Iterator[Parsed]:
    """JSON array of dialogues with `turns` of USER and SYSTEM."""
    yield from _each(
        path, _json(path), lambda d: _alternating([(t["speaker"], t["utterance"]) for t in d["turns"]], "USER")
    )


def taskmaster(path: Path) -> Iterator[Parsed]:
    """JSON array of conversations with `utterances` of user and assistant."""
    yield from _each(
        path, _json(path), lambda d: _alternating([(u["speaker"], _single(u["text"])) for u in d["utterances"]], "user")
    )


def topical_chat(path: Path) -> Iterator[Parsed]:
    """JSON object of conversations whose `content` is messages of two agents."""
    talks = _json(path)
    if not isinstance(talks, dict):
        raise ValueError(f"{path}: an object of conversations is due")
    yield from _each(path, talks.values(), lambda d: _alternating([(m["agent"], m["message"]) for m in d["content"]]))


def instructions(path: Path) -> Iterator[Parsed]:
    """JSON array of `instruction`, `input` (may be empty) and `output`."""
    yield from _each(path, _json(path), lambda d: (f"{d['instruction']}\n{d['input']}".strip(), d["output"].strip()))


def dolly(path: Path) -> Iterator[Parsed]:
    """JSON lines of `instruction` and its human answer `text`."""
    for number, line in enumerate(lines(path), 1):
        try:
            row = json.loads(line)
            yield (row["instruction"].strip(), row["text"].strip()), ()
        except (ValueError, *MALFORMED) as error:
            raise ValueError(f"{path}, line {number}: not an instruction ({error!r})") from error


def chatterbot(path: Path) -> Iterator[Parsed]:
    """YAML with `conversations`, each a list of what is said in turn."""
    try:
        # The base loader keeps every word a text: `Yes` is no boolean here.
        content = yaml.load("\n".join(lines(path)), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{path}, line {mark.line + 1 if mark else '?'}: bad YAML ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("conversations"), list):
        raise ValueError(f"{path}: a list `conversations` is due")
    yield from _each(path, content["conversations"], lambda talk: tuple(filter(None, map(_scalar, talk))))


def _each(path: Path, entries: Iterable[Any], turns: Callable[[Any], tuple[str, ...]]) -> Iterator[Parsed]:
    for number, entry in enumerate(entries):
        try:
            yield turns(entry), ()
        except MALFORMED as error:
            raise ValueError(f"{path}: entry {number} is not a dialogue ({error!r})") from error


def _alternating(utterances: list[tuple[str, str]], first: str | None = None) -> tuple[str, ...]:
    """One turn until the other speaks. Where `first` is named, what the other says before goes."""
    turns: list[str] = []
    before = None
    for speaker, text in utterances:
        if not turns and first is not None and speaker != first:
            continue
        if speaker == before:
            turns[-1] = f"{turns[-1]} {text.strip()}".strip()
        else:
            turns.append(text.strip())
        before = speaker
    return tuple(turns)


def _scalar(value: Any) -> str:
    """A text with a colon in it reads as a mapping in YAML."""
    if isinstance(value, dict):
        return " ".join(f"{key}: {_scalar(v)}" for key, v in value.items())
    return str(value).strip()


def _single(text: str) -> str:
    return " ".join(text.split())


def _sentences(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, text.splitlines())))


@cache
def _blocked(path: Path) -> frozenset[str]:
    return frozenset(lines(path))


def _json(path: Path) -> Any:
    try:
        return json.loads("\n".join(lines(path)))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: bad JSON ({error.msg})") from error


def _table(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str | None]]:
    reader = csv.DictReader(f"{line}\n" for line in lines(path))
    if missing := set(columns) - set(reader.fieldnames or ()):
        raise ValueError(f"{path}, line 1: the table has no column {', '.join(sorted(missing))}")
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: bad CSV ({error})") from error
