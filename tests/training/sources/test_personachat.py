"""PersonaChat's one big JSON file, as a path and over HTTP."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.conftest import free_port
from training import sources
from training.dialogue import Dialogue, replies
from training.sources import _arrays, _download, personachat

WRONG = [f"wrong reply {i} , really ." for i in range(19)]
TURNS = ["hi , how are you ?", "i'm fine ! you ?", "ok . do you have pets ?", "yes , two dogs ( big ones ) ."]


def view(*turns: str, persona: tuple[str, ...] = ("i have two dogs .", "i like red .")) -> dict[str, Any]:
    """One speaker's view of a conversation, in the file's own form."""
    return {
        "personality": list(persona),
        "utterances": [{"candidates": [*WRONG, turns[i]], "history": list(turns[:i])} for i in range(1, len(turns), 2)],
    }


def written(path: Path, train: list[Any], valid: list[Any]) -> Path:
    path.write_text(json.dumps({"train": train, "valid": valid}), encoding="utf-8")
    return path


def read(path: Path | None) -> list[Dialogue]:
    found = list(sources.read("personachat", path))
    assert all(isinstance(one, Dialogue) for one in found)
    return [one for one in found if isinstance(one, Dialogue)]


def test_turns_personas_and_candidates(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", [view(*TURNS)], [view("bye .", "see you ; take care .")])
    (first,) = read(path)
    (second,) = personachat.held_out(path)
    assert first.turns == (
        "hi, how are you?",
        "i'm fine! you?",
        "ok. do you have pets?",
        "yes, two dogs (big ones).",
    )
    assert first.personas == ((), ("i have two dogs.", "i like red."))
    assert first.candidates[0] == first.candidates[2] == ()
    assert first.candidates[1] == tuple(f"wrong reply {i}, really." for i in range(19))
    assert len(first.candidates) == len(first.turns)
    assert not first.two_sided
    assert second.turns == ("bye.", "see you; take care.")


def test_silence_at_the_start_goes_with_the_opening(tmp_path: Path) -> None:
    path = written(tmp_path / "p.json", [view(personachat.SILENCE, "hello !", *TURNS)], [])
    (one,) = read(path)
    assert one.turns[0] == "hi, how are you?"
    assert [bool(one.candidates[i]) for i in range(4)] == [False, True, False, True]
    assert list(replies(one, 1)) == [1, 3]


def test_both_views_of_a_conversation_are_known_as_one(tmp_path: Path) -> None:
    other = view(personachat.SILENCE, "hello !", *TURNS)
    path = written(tmp_path / "p.json", [view("hello !", *TURNS, "so ."), other, view(*TURNS, "a", "b")], [])
    one, two, three = read(path)
    assert one.conversation == two.conversation != three.conversation


def test_a_file_far_larger_than_the_window_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrays, "CHUNK", 100)
    path = tmp_path / "p.json"
    made = [view(*TURNS, f"number {i}", "é " * i + "!") for i in range(20)]
    path.write_text(json.dumps({"train": made, "valid": made[:2]}, indent=1, ensure_ascii=False), encoding="utf-8")
    assert [one.turns[4] for one in read(path)] == [f"number {i}" for i in range(20)]


def test_the_first_dialogue_comes_before_the_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"train": [view(*TURNS)] * 400})[:-1_000], encoding="utf-8")
    found = sources.read("personachat", path)
    assert isinstance(next(found), Dialogue)
    with pytest.raises(ValueError, match=r"p\.json, line 1"):
        list(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the file ends"),
        ("[1]", r"line 1: '\[' stands where \{ is due"),
        ('{"train":\n[{"personality":\n[}]}', "line 3: bad JSON"),
        ('{"train": [], "valid": []}', "there is nothing in"),
        ('{"train": {}}', r"'\{' stands where \[ is due"),
        ('{"train": [\n{"personality": []}]}', r"train\[0\], line 2: not a PersonaChat dialogue \(KeyError"),
        ('{"train": [{"personality": [], "utterances": []}]}', r"train\[0\], line 1: .*IndexError"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=says) as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_reply_at_an_even_place_is_refused(tmp_path: Path) -> None:
    wrong = {"personality": [], "utterances": [{"history": ["a", "b"], "candidates": ["c"]}]}
    with pytest.raises(ValueError, match=r"train\[0\].*even number"):
        read(written(tmp_path / "p.json", [wrong], []))


def test_wrong_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes('{"train": [\n{"personality": ["café"]}]}'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"p\.json, .*not UTF-8"):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"personachat: .*none\.json does not exist"):
        read(tmp_path / "none.json")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves `body`, claiming `claimed` bytes."""

    body: ClassVar[bytes] = b""
    claimed: ClassVar[int] = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(self.claimed))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Handler]]:
    """A web server with the file at the address, and an empty cache."""
    path = written(tmp_path / "served.json", [view(*TURNS)], [])
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    Handler.body, Handler.claimed = path.read_bytes(), path.stat().st_size
    Handler.asked.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setattr(personachat, "URL", f"http://127.0.0.1:{server.server_port}/a/personachat.json")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Handler
        server.shutdown()
        thread.join()


def test_fetched_once_into_the_cache(served: type[Handler], tmp_path: Path) -> None:
    assert read(None) == read(None)
    assert served.asked == ["/a/personachat.json"]
    assert (tmp_path / "cache/sources/personachat/personachat.json").read_bytes() == served.body


def test_a_broken_transfer_leaves_nothing_behind(served: type[Handler], tmp_path: Path) -> None:
    served.claimed += 1_000
    with pytest.raises(sources.UnreachableError, match=r"bytes came.*--raw personachat=PATH"):
        read(None)
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_a_closed_network_says_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(personachat, "URL", f"http://127.0.0.1:{free_port()}/personachat.json")
    with pytest.raises(sources.UnreachableError, match=r"refused.*--raw personachat=PATH"):
        read(None)


def test_the_cache_follows_hugging_faces_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _download.cache() == tmp_path / "huggingface/sources"
    monkeypatch.setenv("HF_HOME", "~/hf")
    assert _download.cache() == Path.home() / "hf/sources"
