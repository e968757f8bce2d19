"""A large file is read one conversation at a time: in little memory, and what is wrong in it keeps no other out."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from conversations.exchange import ExchangeError, parse
from conversations.exchange.parsed import parse_stream
from settings import ROOT

# Imports a file and prints by how many bytes more than before it the process grew at most.
GROWTH = """
import resource, sys
from pathlib import Path
from conversations.exchange import import_all, parse_file
from conversations.store import open_store
from settings import Settings

store = open_store(Settings.read(), "anna")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = parse_file(Path(sys.argv[1]))
report = import_all(store, found)
print(len(report.added), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def line(number: int, text: str) -> str:
    """A conversation of Claude's with an emoji, for which a string takes four bytes a character."""
    sides = [("human", f"question {number} 🌊"), ("assistant", text)]
    messages = [{"uuid": f"{number}-{at}", "sender": who, "text": said} for at, (who, said) in enumerate(sides)]
    return json.dumps({"uuid": f"c-{number}", "name": f"talk {number}", "chat_messages": messages}, ensure_ascii=False)


def write(path: Path, megabytes: int) -> int:
    """Write a list of conversations of 50 kB each; how many there are."""
    count = megabytes * 20
    with path.open("w") as file:
        for number in range(count):
            file.write(("[" if number == 0 else ",\n") + line(number, f"answer {number} " * 4000))
        file.write("]")
    return count


@pytest.mark.parametrize("suffix", ["json", "zip"])
def test_memory_does_not_grow_with_the_file(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    count = write(path, 60)
    if suffix == "zip":
        with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_STORED) as archive:
            archive.write(path, path.name)
        path = tmp_path / "export.zip"
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/c.db", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", GROWTH, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=settings, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    added, growth = map(int, done.stdout.split())
    assert added == count
    assert growth < 90_000_000  # of 60 MB, whose text alone would take 240 MB at once: an emoji is in it


def test_an_import_that_is_killed_while_it_writes_has_kept_nothing(tmp_path: Path) -> None:
    path, written = tmp_path / "conversations.json", tmp_path / "c.db-wal"
    count = write(path, 12)
    settings = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/c.db"}
    command = [sys.executable, "cli.py", "import", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None and not (written.exists() and written.stat().st_size > 2_000_000):
        time.sleep(0.001)  # the tables alone are not so large: it is in the middle of the conversations
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said
    with closing(sqlite3.connect(tmp_path / "c.db")) as connection:
        for table in ("conversation", "message", "message_text"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    again = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=500, check=False)
    assert again.stdout.strip() == f"{count} added from Claude, 0 there already."


def slowly(text: str, name: str = "x.json") -> list[str]:
    data = text.encode()
    found = parse_stream(io.BytesIO(data), len(data), name, whole=0)
    return [*(each["id"] for each in found), *found.left_out]


GOOD = [line(number, "words") for number in range(3)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("null", "conversation 2 is null, not an object"),
        ('{"chat_messages": NaN}', "conversation 2: it is not JSON: NaN is no number"),
        ('{"a": 1, "a": 2}', "conversation 2: it has 'a' twice in one object"),
        ('{"a": 1, }', "conversation 2: it is not JSON: "),
        ('{"a": ' * 50_000 + "1" + "}" * 50_000, "conversation 2: it is nested too deep to be a chat"),
        ('{"a": 1' + "0" * 5000 + "}", "conversation 2: it is not JSON that can be read"),
        ('{"chat_messages": 7}', "conversation 2: chat_messages: should be a list (7)"),
    ],
)
def test_one_that_is_wrong_in_the_middle_is_named(bad: str, why: str) -> None:
    first, second, third = GOOD
    found = slowly(f"[{first}, {bad},\n{second}, {third}]")
    assert found[:3] == ["c-0", "c-1", "c-2"]
    assert [each.startswith(why) for each in found[3:]] == [True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"[{GOOD[0]}, {GOOD[1][:40]}", "it ends in the middle"),
        (f"[{GOOD[0]},", "it ends in the middle"),
        (f"[{GOOD[0]}", "it ends in the middle"),
        (f"[{GOOD[0]}] {{}}", "Extra data behind its end"),
        (f"[{GOOD[0]} {GOOD[1]}]", "Expecting ',' or ']' in line 1"),
        (f'{{"user": {{}}, "conversations": [{GOOD[0]}', "it ends in the middle"),
        (f'{{"conversations": [{GOOD[0]}], "user"', "it ends in the middle"),
        ('{"a": 1, "a": 2}', "it has 'a' twice in one object"),
        ("hello", "it is not JSON"),
        (" ", "it is empty"),
    ],
)
def test_a_file_that_is_no_whole_one_is_refused(text: str, why: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        slowly(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "around", ['{{"user": 1, "conversations": [{}], "more": []}}', '{{"data": {{"chats": [{}]}}}}']
)
def test_a_list_in_an_object(around: str) -> None:
    assert slowly(around.format(", ".join(GOOD))) == ["c-0", "c-1", "c-2"]


def test_a_conversation_a_line_and_one_that_is_cut() -> None:
    found = slowly("\n\n".join([*GOOD, GOOD[0][:30]]))
    assert found[:3] == ["c-0", "c-1", "c-2"]
    assert found[3].startswith("conversation 4: it is not JSON")


def test_text_that_is_no_utf_8_is_said_with_its_place() -> None:
    data = f"[{GOOD[0]}, ".encode() + b'"caf\xe9"]'
    with pytest.raises(ExchangeError, match="it is not UTF-8 text"):
        parse_stream(io.BytesIO(data), len(data), "x.json", whole=0)


def zipped(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


def test_a_zip_of_many_files_whatever_they_are_called() -> None:
    data = zipped(
        {f"chats/{number}.json": text for number, text in enumerate(GOOD)} | {"readme.txt": "hello", "a": "b"}
    )
    found = parse(data, "x.zip")
    assert ([each["id"] for each in found], found.left_out) == (["c-0", "c-1", "c-2"], [])
    with pytest.raises(
        ExchangeError, match=r"it is a zip without conversations\.json, and of its files \('readme.txt'"
    ):
        parse(zipped({"readme.txt": "hello"}), "x.zip")
    half = zipped({"good.json": f"[{GOOD[0]}]", "half.json": f"[{GOOD[1]}, {GOOD[2][:50]}"})
    found = parse(half, "x.zip")
    assert [each["id"] for each in found] == ["c-0"]
    assert found.left_out == ["a part of it: 'half.json': it ends in the middle: it was cut short, get it once more"]
