"""Cornell Movie-Dialogs: film conversations, from ConvoKit's corpus or from the original two text files.

Folder or zip. Conversations stand in no order, so all lines are held in memory: 304,713, about 0.2 GB.
"""

import ast
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from training.dialogue import Dialogue
from training.sources._download import cached
from training.sources._files import require_items

LICENCE = "none stated; film texts, for research (cite Danescu-Niculescu-Mizil and Lee, 2011)"
URL = "https://zissou.infosci.cornell.edu/convokit/datasets/movie-corpus/movie-corpus.zip"
BETWEEN = " +++$+++ "
TAG = re.compile(r"</?[a-zA-Z]{1,6}>")

Opened = Callable[[], BinaryIO]


class Line(NamedTuple):
    """What somebody says; `answers` is the id of the line before it."""

    speaker: str
    text: str
    answers: str | None = None


def read(raw: Path | None) -> Iterator[Dialogue]:
    """Every conversation, two-sided. Raises ValueError naming file and line, OSError, UnreachableError."""
    members = _members(raw or cached("cornell", URL))
    if "utterances.jsonl" in members:
        conversations = _convokit(members["utterances.jsonl"])
    elif {"movie_lines.txt", "movie_conversations.txt"} <= members.keys():
        conversations = _original(members["movie_lines.txt"], members["movie_conversations.txt"])
    else:
        raise ValueError(f"cornell: {raw} has neither utterances.jsonl nor movie_lines.txt and movie_conversations.txt")
    yield from require_items(
        "cornell", (Dialogue("cornell", _turns(one), two_sided=True) for one in conversations), raw
    )


def _members(raw: Path) -> dict[str, tuple[str, Opened]]:
    """File name -> (name for messages, how to open it), of a folder, a zip or a file's folder."""
    if raw.suffix == ".zip":
        try:
            packed = zipfile.ZipFile(raw)
        except zipfile.BadZipFile as error:
            raise ValueError(f"cornell: {raw} is not a zip file ({error}); fetch it again") from error
        names = packed.namelist()
        return {Path(n).name: (f"{raw}:{n}", cast(Opened, partial(packed.open, n))) for n in names}
    paths = raw.rglob("*") if raw.is_dir() else raw.parent.iterdir()
    return {path.name: (str(path), cast(Opened, partial(path.open, "rb"))) for path in sorted(paths)}


def _convokit(member: tuple[str, Opened]) -> Iterator[list[Line]]:
    talks: dict[str, dict[str, Line]] = {}
    for where, text in _lines(member):
        try:
            row = json.loads(text)
            talk = row["conversation_id"] if "conversation_id" in row else row["root"]
            speaker = row["speaker"] if "speaker" in row else row["user"]
            answers = row["reply-to"] if "reply-to" in row else row["reply_to"]
            talks.setdefault(talk, {})[row["id"]] = Line(str(speaker), row["text"] or "", answers)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{where}: not a ConvoKit utterance ({error!r})") from error
    yield from map(_chain, talks.values())


def _chain(talk: dict[str, Line]) -> list[Line]:
    """From the line that answers none, along the first answer to each."""
    after: dict[str | None, str] = {}
    for name, line in talk.items():
        after.setdefault(line.answers if line.answers in talk else None, name)
    chain: list[Line] = []
    name = after.pop(None, "")
    while name:
        chain.append(talk[name])
        name = after.pop(name, "")
    return chain


def _original(lines: tuple[str, Opened], talks: tuple[str, Opened]) -> Iterator[list[Line]]:
    utterances: dict[str, Line] = {}
    for where, text in _lines(lines):
        name, speaker, _, _, utterance = _fields(where, text, 5)
        utterances[name] = Line(speaker, utterance)
    for where, text in _lines(talks):
        names = _fields(where, text, 4)[3]
        try:
            yield [utterances[name] for name in ast.literal_eval(names)]
        except (SyntaxError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{where}: not a list of known lines ({error!r})") from error


def _fields(where: str, text: str, count: int) -> list[str]:
    # Some lines say nothing and end at the separator.
    fields = (text + " ").split(BETWEEN)
    if len(fields) != count:
        raise ValueError(f"{where}: {len(fields)} fields between {BETWEEN.strip()}, where {count} are due")
    return [field.strip() for field in fields]


def _lines(member: tuple[str, Opened]) -> Iterator[tuple[str, str]]:
    """(file and line, text), without empty ones."""
    path, open_member = member
    with open_member() as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}, line {number}", _decoded(line).rstrip("\r\n")


def _decoded(line: bytes) -> str:
    """The original is Windows-1252, newer copies are UTF-8; a byte that is neither shows as U+FFFD."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _turns(lines: Iterable[Line]) -> tuple[str, ...]:
    """What each says until the other speaks, as one turn."""
    turns: list[str] = []
    before = None
    for line in lines:
        text = " ".join(TAG.sub("", line.text).split())
        if text and line.speaker == before:
            turns[-1] += f" {text}"
        elif text:
            turns.append(text)
            before = line.speaker
    return tuple(turns)
