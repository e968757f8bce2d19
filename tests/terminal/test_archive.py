"""`export` and `import` as a person types them."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import cli
from conversations.exchange import export_conversation, import_conversation, parse_file
from conversations.store import personas
from settings import ROOT
from tests.conversations.exchange.made import FIXTURES, chain, document, full
from tests.conversations.talk import mine, texts


class Done(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of a refusal."""
        assert (self.code, self.out) == (2, "")
        assert len(self.err.splitlines()) == 1, self.err
        return self.err.strip()


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """The command line in this process, as `python cli.py` runs it."""

    def command(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["cli.py", *map(str, words)])
        try:
            code = cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsysbinary.readouterr()
        return Done(code, out.decode(), err.decode())

    return command


@pytest.mark.usefixtures("database_url")
def test_out_and_into_another_database(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made.json"
    made.write_bytes(document(full(), chain(4, id="second")))
    assert run("import", made).out == "2 added, 0 there already.\n"
    written = tmp_path / "out.json"
    assert run("export", "--all", "--output", written) == (0, f"2 conversations of terminal written to {written}\n", "")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert run("import", written).out == "0 added, 2 there already.\n"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/elsewhere.db")
    assert run("import", written).code == 0
    assert run("export", "--all").out.encode() == written.read_bytes()
    assert list(tmp_path.glob(".*")) == []


def test_in_a_process_of_its_own() -> None:
    import_conversation(mine("terminal"), full())
    command = [sys.executable, str(ROOT / "cli.py"), "export", "--all"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"1 conversation of terminal written\n")
    assert json.loads(done.stdout)["conversations"] == [export_conversation(mine("terminal"), "Ab_-9")]


def test_one_conversation_and_its_owner(tmp_path: Path, run: Run) -> None:
    import_conversation(mine("anna"), full())
    done = run("export", "Ab_-9", "--owner", "anna")
    assert json.loads(done.out)["conversations"] == [export_conversation(mine("anna"), "Ab_-9")]
    assert run("export", "Ab_-9").line == "There is no conversation 'Ab_-9' of yours."
    assert run("export", "--all").out.encode() == document()
    path = tmp_path / "anna.json"
    path.write_text(done.out)
    assert run("import", path, "--owner", "bert").out == "1 added, 1 of them under a new id, 0 there already.\n"
    assert len(mine("bert").listing()) == 1


def test_markdown_is_for_people(tmp_path: Path, run: Run) -> None:
    import_conversation(mine("terminal"), chain(2, id="one", title="Soup"))
    import_conversation(mine("terminal"), chain(1, id="two", title="Bread"))
    text = run("export", "one", "--format", "markdown").out
    assert "# Soup\n" in text
    assert "> text 1\n" in text
    path = tmp_path / "all.md"
    assert run("export", "--all", "--format", "markdown", "--output", path).code == 0
    assert path.read_text().count("\n# ") == 2
    assert "export with --format json" in run("import", path).line


CUT = "conversation 'Bird at the window': picture is damaged or cut short and cannot be read"


@pytest.mark.server  # a process of its own unpacks pictures
@pytest.mark.parametrize(
    ("file", "told", "left_out"),
    [
        ("chatgpt.json", "from ChatGPT, 0 there already, 1 empty", []),
        ("openwebui.json", "from Open WebUI, 0 there already", [CUT, CUT]),
    ],
)
def test_what_others_export(file: str, told: str, left_out: list[str], run: Run) -> None:
    done = run("import", FIXTURES / file)
    assert (done.code, done.out) == (0, f"2 added {told}.\n")
    assert [line.rsplit(":", 1)[0] for line in done.err.splitlines()] == left_out
    found = mine("terminal").listing()
    assert {c.id for c in found} == {c["id"] for c in parse_file(FIXTURES / file)}
    assert all(texts(mine("terminal"), c.id) for c in found)


def test_one_bad_file_and_nothing_is_written(tmp_path: Path, run: Run) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(document(full()))
    bad.write_bytes(document(chain(2))[:-9])
    assert run("import", good, bad).line == f"{bad}: it ends in the middle: it was cut short, get it once more"
    assert run("import", good, tmp_path / "none.json").line == f"{tmp_path}/none.json: No such file or directory"
    assert run("import", tmp_path).line.endswith(": Is a directory")
    assert mine("terminal").listing() == []


@pytest.mark.usefixtures("database_url")
def test_a_file_for_each_and_lines_for_training(tmp_path: Path, run: Run) -> None:
    for identity in ("one", "two"):
        import_conversation(mine("terminal"), chain(2, id=identity, title=identity))
    folder = tmp_path / "out"
    assert run("export", "--all", "--format", "html").line.endswith("writes a file for each: name a folder")
    folder.mkdir()
    written = run("export", "--all", "--format", "html", "--output", folder)
    assert written.out == f"2 conversations of terminal written to {folder}\n"
    assert {path.name for path in folder.iterdir()} == {"one.html", "two.html"}
    assert "<h1>one</h1>" in (folder / "one.html").read_text()
    said = json.loads(run("export", "one", "--format", "jsonl").out)
    assert [each["content"] for each in said["messages"]] == ["text 0", "text 1"]
    assert run("export", "one", "--format", "jsonl", "--liked").out == ""
    assert run("export", "one", "--liked").line == "--liked is for --format jsonl; --format json has every reply."


def test_a_link_is_made_listed_and_revoked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import_conversation(mine("terminal"), chain(2, id="one", title="Bees"))
    assert run("share", "one").line.startswith("Links to conversations are off: set SHARE_LINKS=1")
    monkeypatch.setenv("SHARE_LINKS", "1")
    made = run("share", "one", "--days", "7")
    assert made.out.startswith("/shared/")
    [listed] = run("share").out.splitlines()
    assert listed.endswith("  Bees")
    link = listed.split()[0]
    assert run("share", "--revoke", link).out == f"{link} opens nothing any more.\n"
    assert run("share").out == ""
    assert run("share", "--revoke", link).line == f"There is no link {link!r} of yours."
    assert run("share", "two").line == "There is no conversation 'two' of yours."
    assert run("share", "one", "--days", "31").line == "--days=31: at most 30 (SHARE_LINK_DAYS)."


def test_whose_conversations_were_exported(tmp_path: Path, run: Run) -> None:
    assert run("export", "--all")[1:] == (document().decode(), "0 conversations of terminal written\n")
    for owner, count in (("anna", 1), ("browser:x", 3), ("two words\x1b", 1), ("terminal", 2)):
        for number in range(count):
            import_conversation(mine(owner), chain(1, id=f"{len(owner)}-{number}", created=float(number)))
    others = r"Others have conversations too; name one with --owner: browser:x (3), anna (1), 'two words\x1b' (1)"
    done = run("export", "--all")
    assert len(json.loads(done.out)["conversations"]) == 2
    assert done.err.splitlines() == ["2 conversations of terminal written", others]
    path = tmp_path / "all.json"
    assert run("export", "--all", "--output", path).out == f"2 conversations of terminal written to {path}\n"
    assert run("export", "--all", "--output", path).err == f"{others}\n"
    assert run("export", "--all", "--owner", "anna").err.splitlines()[0] == "1 conversation of anna written"
    assert run("export", "--all", "--owner", "anna", "--format", "markdown").out.startswith("<!-- llm-assistant")
    assert run("export", "--all", "--owner", "nobody").err.splitlines() == [
        "0 conversations of nobody written",
        others.replace("browser:x (3), ", "browser:x (3), terminal (2), "),
    ]
    one = run("export", "4-0", "--owner", "anna")
    assert (one.code, one.err) == (0, "")


def test_of_many_owners_some_are_named(run: Run) -> None:
    for number in range(25):
        import_conversation(mine(f"owner {number:02}"), chain(1, id=f"c{number}"))
    [_, others] = run("export", "--all").err.splitlines()
    assert others.endswith("'owner 19' (1), 5 more")


def test_a_card_becomes_a_persona_and_what_is_not_kept_is_said(run: Run) -> None:
    card, chat = FIXTURES / "card-v2.json", FIXTURES / "claude.json"
    done = run("import", card, chat)
    assert done.out == "2 added from a character's card, Claude, 0 there already, 1 empty; personas saved: Keeper.\n"
    assert f"{chat}: of Claude, not kept: files, but for their names (1), pictures of tools (1)" in done.err
    again = run("import", card).out
    assert again == "0 added from a character's card, 1 there already.\n"
    assert [persona.name for persona in personas.listing(mine("terminal"))] == ["Keeper"]


def test_what_was_left_out_is_named_and_counted(tmp_path: Path, run: Run) -> None:
    good = {"id": "good", "mapping": {"a": {"message": {"author": {"role": "user"}, "content": "hi"}}}}
    bad = {"title": "Bad\x1b[2J", "mapping": 7}
    path = tmp_path / "export.json"
    path.write_text(json.dumps([good, None, bad, {"title": "empty", "mapping": {}}, {"mapping": None}]))
    done = run("import", path)
    assert (done.code, done.out) == (0, "1 added from ChatGPT, 0 there already, 2 left out, 2 empty.\n")
    assert done.err.splitlines() == [
        f"{path}: conversation 2 is null, not an object",
        rf"{path}: conversation 3 ('Bad\x1b[2J'): mapping: should be an object (7)",
    ]
    path.write_text(json.dumps([good, *[None] * 30]))
    done = run("import", path)
    assert done.out == "0 added from ChatGPT, 1 there already, 30 left out.\n"
    assert (len(done.err.splitlines()), done.err.splitlines()[-1]) == (21, "and 10 more")


def test_what_cannot_be_exported(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("export").line == "Name one conversation by its id, or say --all."
    assert run("export", "x", "--all").line == "Name one conversation by its id, or say --all."
    assert run("export", "x").line == "There is no conversation 'x' of yours."
    nowhere = tmp_path / "no" / "x.json"
    assert run("export", "--all", "--output", nowhere).line.startswith(f"--output={nowhere}: name a file in a folder")
    kept = tmp_path / "kept.json"
    kept.write_text("as it was")
    assert run("export", "x", "--output", kept).code == 2
    assert kept.read_text() == "as it was"
    monkeypatch.setenv("DATABASE_URL", "sqlite:////proc/no/x.db")
    assert run("export", "--all").line.startswith("DATABASE_URL")


def test_the_other_commands_start_without_the_store() -> None:
    code = "import sys, cli; assert not {'sqlalchemy', 'alembic'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=300).returncode == 0


def test_a_closed_pipe_ends_it_without_a_crash() -> None:
    import_conversation(mine("terminal"), chain(3000, id="long"))
    command = [sys.executable, str(ROOT / "cli.py"), "export", "long"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert 0 <= process.wait(60) < 128
        assert b"Traceback" not in process.stderr.read()


def test_after_delete_and_vacuum_the_words_are_nowhere(run: Run, tmp_path: Path) -> None:
    store = mine("terminal")
    identity = import_conversation(store, chain(3))
    kept = store.database.file
    assert kept is not None
    secret = texts(store, identity)[0].encode()
    assert secret in everything(kept.parent)
    store.delete(identity)
    done = run("vacuum")
    assert (done.code, done.err) == (0, "")
    assert secret not in everything(kept.parent)


def everything(folder: Path) -> bytes:
    """All its files."""
    return b"".join(path.read_bytes() for path in folder.iterdir())
