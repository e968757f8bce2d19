"""Cornell Movie-Dialogs in both of its forms."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.conftest import free_port
from training import sources
from training.dialogue import Dialogue
from training.sources import cornell

# ConvoKit lists a conversation from its end, and conversations as they come.
UTTERANCES: list[dict[str, str | None]] = [
    {"id": "L3", "conversation_id": "L1", "text": "They do <u>not</u>!", "speaker": "u0", "reply-to": "L2"},
    {"id": "L9", "conversation_id": "L8", "text": "Bye.", "speaker": "u5", "reply-to": "L8"},
    {"id": "L2", "conversation_id": "L1", "text": "  They do to! ", "speaker": "u2", "reply-to": "L1"},
    {"id": "L1", "conversation_id": "L1", "text": "I hope so.", "speaker": "u2", "reply-to": None},
    {"id": "L8", "conversation_id": "L8", "text": "Go.", "speaker": "u0", "reply-to": None},
]
LINES = (
    "L1045 +++$+++ u0 +++$+++ m0 +++$+++ BIANCA +++$+++ It\x92s not a caf\xe9!\n"
    "L1044 +++$+++ u2 +++$+++ m0 +++$+++ CAMERON +++$+++ They do to!\n"
    "L1043 +++$+++ u2 +++$+++ m0 +++$+++ CAMERON +++$+++ \n"
    "L1042 +++$+++ u2 +++$+++ m0 +++$+++ CAMERON +++$+++ Hello\n"
)
TALKS = "u0 +++$+++ u2 +++$+++ m0 +++$+++ ['L1042', 'L1043', 'L1044', 'L1045']\n"


def convokit(folder: Path, rows: list[dict[str, str | None]]) -> Path:
    folder.mkdir(parents=True)
    (folder / "utterances.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "speakers.json").write_text("{}", encoding="utf-8")
    return folder


def original(folder: Path, lines: str = LINES, talks: str = TALKS) -> Path:
    folder.mkdir(parents=True)
    (folder / "movie_lines.txt").write_bytes(lines.encode("latin-1"))
    (folder / "movie_conversations.txt").write_bytes(talks.encode("latin-1"))
    return folder


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as packed:
        for file in folder.iterdir():
            packed.write(file, f"{folder.name}/{file.name}")
            # What a Mac adds is no data.
            packed.writestr(f"__MACOSX/{folder.name}/._{file.name}", b"\x00\x05")
    return path


def turns(raw: Path | None) -> list[tuple[str, ...]]:
    found = [one for one in sources.read("cornell", raw) if isinstance(one, Dialogue)]
    assert all(one.two_sided and one.source == "cornell" for one in found)
    return [one.turns for one in found]


def test_convokit_follows_the_replies_and_joins_a_speakers_lines(tmp_path: Path) -> None:
    folder = convokit(tmp_path / "movie-corpus", UTTERANCES)
    assert turns(folder) == [("I hope so. They do to!", "They do not!"), ("Go.", "Bye.")]
    assert turns(folder / "utterances.jsonl") == turns(zipped(folder)) == turns(folder)


def test_the_older_names_of_convokits_fields(tmp_path: Path) -> None:
    names = {"conversation_id": "root", "speaker": "user", "reply-to": "reply_to"}
    rows = [{names.get(key, key): value for key, value in row.items()} for row in UTTERANCES]
    assert turns(convokit(tmp_path / "old", rows)) == turns(convokit(tmp_path / "new", UTTERANCES))


def test_the_original_is_windows_1252(tmp_path: Path) -> None:
    folder = original(tmp_path / "cornell movie-dialogs corpus")
    assert turns(folder) == [("Hello They do to!", "It’s not a café!")]
    assert turns(folder / "movie_lines.txt") == turns(zipped(folder)) == turns(folder)


def test_a_copy_in_utf_8_and_a_byte_of_no_encoding(tmp_path: Path) -> None:
    folder = original(tmp_path / "copy")
    text = LINES.encode("latin-1").decode("cp1252")
    (folder / "movie_lines.txt").write_text(text, encoding="utf-8")
    assert turns(folder) == [("Hello They do to!", "It’s not a café!")]
    assert turns(original(tmp_path / "odd", LINES.replace("\xe9", "\xe9\x81"))) == [
        ("Hello They do to!", "It’s not a café\ufffd!")
    ]


def test_bad_json_is_named_with_its_line(tmp_path: Path) -> None:
    folder = convokit(tmp_path / "c", UTTERANCES)
    with (folder / "utterances.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(ValueError, match=r"utterances\.jsonl, line 6: not a ConvoKit utterance"):
        turns(folder)


@pytest.mark.parametrize(
    ("lines", "talks", "says"),
    [
        (LINES + "L1 +++$+++ u0\n", TALKS, r"movie_lines\.txt, line 5: 2 fields"),
        (LINES, TALKS + "u0 +++$+++ u2 +++$+++ m0 +++$+++ ['L7']\n", r"movie_conversations\.txt, line 2: .*'L7'"),
        (LINES, TALKS + "u0 +++$+++ u2 +++$+++ m0 +++$+++ L1042\n", r"movie_conversations\.txt, line 2: not a list"),
        (LINES, "", "there is nothing in"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, lines: str, talks: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        turns(original(tmp_path / "c", lines, talks))


def test_a_folder_or_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"neither utterances\.jsonl nor movie_lines\.txt"):
        turns(tmp_path)
    broken = tmp_path / "movie-corpus.zip"
    broken.write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"movie-corpus\.zip is not a zip file"):
        turns(broken)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cornell: .*none does not exist"):
        turns(tmp_path / "none")


def test_a_closed_network_says_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(cornell, "URL", f"http://127.0.0.1:{free_port()}/movie-corpus.zip")
    with pytest.raises(sources.UnreachableError, match="--raw cornell=PATH"):
        turns(None)
