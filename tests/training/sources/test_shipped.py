"""The repositories behind the shipped model: small ones in the same formats, made with git and reached through git."""

import csv
import io
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from training import sources
from training.dialogue import Dialogue
from training.sources import shipped
from training.sources.shipped import ORIGINS, Origin, formats

SENTENCES = [f"Answer.sentence{i}" for i in (1, 10, 2, 3, 4, 5, 6, 7, 8, 9)]
PERSONAS = ["user 1 personas", "user 2 personas", "Best Generated Conversation"]


def table(columns: list[str], *rows: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, quoting=csv.QUOTE_ALL, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def work(worker: str, reject: str, *said: str) -> dict[str, str]:
    return {"WorkerId": worker, "Reject": reject} | {f"Answer.sentence{i}": s for i, s in enumerate(said, 1)}


def turns(names: tuple[str, str], key: str, *said: str) -> list[dict[str, str]]:
    return [{names[0]: names[1].split()[i % 2], key: words} for i, words in enumerate(said)]


# repository -> path -> text: what is wanted, and in each something that is not.
FILES: dict[str, dict[str, str]] = {
    "self_dialogue_corpus": {
        "blocked_workers.txt": "BAD\n",
        "corpus/music/batch.csv": table(
            ["HITId", "WorkerId", *SENTENCES, "Approve", "Reject"],
            work("A1", "", "Do you  listen?", "Yes!", "{}", "To what?", *["ok"] * 5, "The tenth."),
            work("A2", "too short", "rejected", "work"),
            work("BAD", "", "blocked", "worker"),
        ),
    },
    "Synthetic-Persona-Chat": {
        "data/Synthetic-Persona-Chat_test.csv": table(
            PERSONAS,
            {
                PERSONAS[0]: "I like tea.\nI am old.",
                PERSONAS[1]: "I ski.",
                PERSONAS[2]: 'User 1: Hi!\n\nUser 2: "Hello"\nUser 2: you.\nUser 1: Bye.',
            },
        ),
        "data/Synthetic-Persona-Chat_train.csv": "not wanted",
    },
    "dstc8-schema-guided-dialogue": {
        f"train/dialogues_{part:03}.json": json.dumps(
            [{"turns": turns(("speaker", "USER SYSTEM"), "utterance", f"Book {part}-{i}.", "Done.")} for i in range(40)]
        )
        for part in (1, 2)
    }
    | {"train/schema.json": "[]", "dev/dialogues_001.json": "not wanted"},
    "Taskmaster": {
        "TM-4-2024/data/data_00.json": json.dumps(
            [{"utterances": turns(("speaker", "user assistant"), "text", "one  Latte please", "ok.")}]
        )
    },
    "Topical-Chat": {
        "conversations/valid_freq.json": json.dumps(
            {"t_1": {"content": turns(("agent", "agent_1 agent_2"), "message", "Tea?  ", "Yes.  Now.")}}
        )
    },
    "dolly-15k-analysis": {
        "dolly_decode_bak/google_flan-t5-base_decode_output.jsonl": "".join(
            json.dumps({"decoded": "no", "text": f"Answer {i}.\nMore.", "instruction": f"Question {i}? ", "id": i})
            + "\n"
            for i in range(2)
        )
    },
    "LLMs-from-scratch": {
        "ch07/01_main-chapter-code/instruction-data.json": json.dumps(
            [
                {"instruction": "Name a fruit.", "input": "", "output": "Apple."},
                {"instruction": "Make it loud.", "input": "hey", "output": "HEY"},
            ],
            indent=4,
        )
    },
    "chatterbot-corpus": {
        "chatterbot_corpus/data/english/ai.yml": "categories:\n- AI\nconversations:\n- - Are you?\n  - Yes\n"
        "- - Say it\n  - It is this: so\n  - No\n",
        "chatterbot_corpus/data/german/ai.yml": "not wanted",
    },
}
TOLD = {
    "self-dialogue": [("Do you listen?", "Yes!", "To what?", *["ok"] * 5, "The tenth.")],
    "synthetic-persona-chat": [("Hi!", '"Hello" you.', "Bye.")],
    "taskmaster-4": [("one Latte please", "ok.")],
    "topical-chat": [("Tea?", "Yes.  Now.")],
    "dolly": [("Question 0?", "Answer 0.\nMore."), ("Question 1?", "Answer 1.\nMore.")],
    "rasbt-instructions": [("Name a fruit.", "Apple."), ("Make it loud.\nhey", "HEY")],
    "chatterbot-corpus": [("Are you?", "Yes"), ("Say it", "It is this: so", "No")],
}


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repositories as a host of git has them, each with a later commit that is not wanted."""
    root = tmp_path_factory.mktemp("hub")
    for origin in ORIGINS:
        folder = root / origin.repository
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--initial-branch=main")
        for path, text in FILES[origin.name].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", "data")
        git(folder, "tag", "wanted")
        for path in FILES[origin.name]:
            (folder / path).write_text("changed later")
        git(folder, "commit", "--quiet", "-am", "later")
        git(folder, "config", "uploadpack.allowFilter", "true")
        git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return root


@pytest.fixture
def origins(hub: Path) -> tuple[Origin, ...]:
    """The real table with these repositories' commits, as long as the real ones are written."""
    return tuple(replace(o, commit=git(hub / o.repository, "rev-parse", "wanted")[: len(o.commit)]) for o in ORIGINS)


def redirect(monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """Git itself takes the host's address to stand for another."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{to}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{shipped.HOST}/")


@pytest.fixture
def online(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host answers, and the cache is empty; the cache's folder of clones."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    redirect(monkeypatch, hub.as_uri())
    return tmp_path / "cache/sources/shipped"


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    redirect(monkeypatch, f"http://127.0.0.1:{free_port()}")
    return tmp_path / "cache"


@pytest.fixture
def clones(hub: Path, origins: tuple[Origin, ...], tmp_path: Path) -> Path:
    """A folder of clones as a user would make it by hand."""
    for origin in origins:
        git(tmp_path, "clone", "--quiet", str(hub / origin.repository), f"clones/{origin.name}")
        git(tmp_path / "clones" / origin.name, "checkout", "--quiet", origin.commit)
    return tmp_path / "clones"


def by_source(found: list[Dialogue]) -> dict[str, list[tuple[str, ...]]]:
    told: dict[str, list[tuple[str, ...]]] = {}
    for one in found:
        told.setdefault(one.source, []).append(one.turns)
    return told


def test_everything_is_fetched_and_rebuilt(
    online: Path, origins: tuple[Origin, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = list(shipped.read(None, origins))
    told = by_source(found)
    drawn = told.pop("schema-guided-dialogue")
    assert told == TOLD
    assert 8 <= len(drawn) <= 36
    assert set(drawn) < {(f"Book {part}-{i}.", "Done.") for part in (1, 2) for i in range(40)}
    assert {one.source for one in found if one.two_sided} == {"self-dialogue", "synthetic-persona-chat", "topical-chat"}
    (persona,) = (one.personas for one in found if one.personas)
    assert persona == (("I like tea.", "I am old."), ("I ski.",))
    said = capsys.readouterr().err
    assert all(f"{o.source}: {o.licence}, {o.url} at {o.commit}" in said for o in origins)


def test_what_is_not_wanted_is_not_fetched(online: Path, hub: Path, origins: tuple[Origin, ...]) -> None:
    list(shipped.read(None, origins))
    folder = online / "Synthetic-Persona-Chat"
    assert [p.name for p in folder.rglob("*.csv")] == ["Synthetic-Persona-Chat_test.csv"]
    unwanted = git(hub / origins[1].repository, "rev-parse", "wanted:data/Synthetic-Persona-Chat_train.csv")
    assert f"?{unwanted}" in git(folder, "rev-list", "--objects", "--all", "--missing=print")


def test_a_second_time_needs_no_network(
    online: Path, origins: tuple[Origin, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = list(shipped.read(None, origins))
    redirect(monkeypatch, f"http://127.0.0.1:{free_port()}")
    assert list(shipped.read(None, origins)) == first


def test_a_closed_network_says_the_remedy_and_leaves_nothing(offline: Path) -> None:
    with pytest.raises(sources.UnreachableError, match=r"self_dialogue_corpus at .*--raw shipped=PATH"):
        list(sources.read("shipped", None))
    assert not [p for p in offline.rglob("*") if p.is_file()]


def test_without_git(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(offline))
    with pytest.raises(sources.UnreachableError, match="git is not installed"):
        list(shipped.read(None))


def test_clones_made_by_hand_give_the_same(clones: Path, offline: Path, origins: tuple[Origin, ...]) -> None:
    told = by_source(list(shipped.read(clones, origins)))
    assert told.pop("schema-guided-dialogue")
    assert told == TOLD


def test_a_clone_at_another_commit_or_with_other_files_is_refused(clones: Path, origins: tuple[Origin, ...]) -> None:
    folder = clones / origins[0].name
    git(folder, "checkout", "--quiet", "main")
    with pytest.raises(ValueError, match=r"blocked_workers\.txt is not as it was at .*checkout --force"):
        list(shipped.read(clones, origins))
    git(folder, "checkout", "--quiet", origins[0].commit)
    (folder / "corpus/music/mine.csv").write_text("my own")
    with pytest.raises(ValueError, match=r"mine\.csv is no part of .*move it away"):
        list(shipped.read(clones, origins))


def test_a_commit_that_is_not_there(clones: Path, online: Path, origins: tuple[Origin, ...]) -> None:
    wrong = (replace(origins[0], commit="0123abcd"),)
    for raw in (clones, None):
        with pytest.raises(ValueError, match=r"has no commit 0123abcd of https://github\.com/jfainberg"):
            list(shipped.read(raw, wrong))


def test_a_branch_named_like_a_commit_is_no_commit(clones: Path, origins: tuple[Origin, ...]) -> None:
    git(clones / origins[0].name, "branch", "0123abcd", "main")
    with pytest.raises(ValueError, match="0123abcd names the commit"):
        list(shipped.read(clones, (replace(origins[0], commit="0123abcd"),)))


def test_missing_clones(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"self_dialogue_corpus does not exist: git clone https://"):
        list(shipped.read(tmp_path))
    (tmp_path / "self_dialogue_corpus").mkdir()
    with pytest.raises(ValueError, match="is not a git clone"):
        list(shipped.read(tmp_path))


def test_a_repository_without_the_files(clones: Path, origins: tuple[Origin, ...]) -> None:
    moved = (replace(origins[3], paths=("TM-5/data_*.json",)),)
    with pytest.raises(ValueError, match=r"taskmaster-4: there is nothing in .*TM-5"):
        list(shipped.read(clones, moved))


def test_the_table() -> None:
    assert [origin.source for origin in ORIGINS if origin.source not in TOLD] == ["schema-guided-dialogue"]
    for origin in ORIGINS:
        assert len(origin.commit) in (8, 40)
        assert int(origin.commit, 16)
        assert origin.licence in shipped.LICENCE


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (formats.schema_guided, "[\n{]", r"data, line 2: bad JSON"),
        (formats.schema_guided, '[{"turns": [{"speaker": "USER"}]}]', r"entry 0 is not a dialogue .*utterance"),
        (formats.taskmaster, '[{"utterances": 3}]', "entry 0 is not a dialogue"),
        (formats.topical_chat, "[]", "an object of conversations is due"),
        (formats.topical_chat, '{"t_1": {}}', "entry 0 is not a dialogue .*content"),
        (formats.instructions, '[{"instruction": "a"}]', "entry 0 is not a dialogue .*input"),
        (formats.dolly, '{"instruction": "a", "text": "b"}\n{"instruction": 1}\n', r"data, line 2: not an instruction"),
        (formats.chatterbot, "conversations:\n- [a,\n}", r"data, line 3: bad YAML"),
        (formats.chatterbot, "categories:\n- a\n", "a list `conversations` is due"),
        (formats.self_dialogue, "a,b\n1,2\n", r"data, line 1: the table has no column Answer\.sentence1, WorkerId"),
        (formats.synthetic_persona_chat, "a,b\n", r"line 1: the table has no column Best Generated"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, parse: Any, text: str, says: str) -> None:
    folder = tmp_path / "corpus/topic"
    folder.mkdir(parents=True)
    (tmp_path / "blocked_workers.txt").touch()
    (folder / "data").write_text(text)
    with pytest.raises(ValueError, match=says) as error:
        list(parse(folder / "data"))
    assert str(folder / "data") in str(error.value)


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda o: o.source)
def test_a_wrong_encoding_is_named(tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / origin.name / origin.paths[-1].replace("*", "x")
    path.parent.mkdir(parents=True)
    (tmp_path / origin.name / "blocked_workers.txt").touch()
    path.write_bytes("café\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"line 1: not UTF-8") as error:
        list(origin.parse(path))
    assert os.fspath(path) in str(error.value)
