"""Pictures shown to a model in a terminal: `ask --image`, and `/attach` in a chat."""

import json
from pathlib import Path

import pytest

from tests.api.conftest import Serve
from tests.conversations.talk import mine
from tests.documents.scan.drawing import draw, encode, lines, needs_scans
from tests.loopback import KEY, Loopback
from tests.pictures import drawn, look
from tests.terminal.conftest import Run, run_process

pytestmark = pytest.mark.server  # a process of its own unpacks pictures


@pytest.fixture
def photos(tmp_path: Path, loopback: Loopback) -> tuple[str, str]:
    """Two pictures, and a model that sees them."""
    loopback.answer = look
    (tmp_path / "red.png").write_bytes(drawn("red"))
    (tmp_path / "blue.jpg").write_bytes(drawn("blue", (300, 400), "JPEG"))
    return str(tmp_path / "red.png"), str(tmp_path / "blue.jpg")


def test_ask_shows_several(photos: tuple[str, str], run: Run, loopback: Loopback) -> None:
    red, blue = photos
    done = run("ask", "--image", red, "--image", blue, "What is it?", "--backend", "openai")
    assert (done.code, done.out.strip(), done.err) == (0, "I see red 640 x 480, blue 300 x 400.", "")
    assert loopback.requests[-1]["messages"][-1]["content"][-1] == {"type": "text", "text": "What is it?"}


def test_a_picture_alone_is_asked_and_goes_with_documents(
    photos: tuple[str, str], tmp_path: Path, loopback: Loopback
) -> None:
    (tmp_path / "notes.md").write_text("The lamp is red.")
    given = {"OPENAI_BASE_URL": loopback.url, "OPENAI_API_KEY": KEY}
    alone = run_process("ask", "--image", photos[1], "--json", "--backend", "openai", **given)
    assert json.loads(alone.out)["reply"].strip() == "I see blue 300 x 400."
    words = ("ask", "--image", photos[0], "--file", str(tmp_path / "notes.md"), "Is the lamp red?")
    both = run_process(*words, "--json", "--backend", "openai", **given)
    assert json.loads(both.out)["reply"].strip() == "I see red 640 x 480."
    assert "The lamp is red." in str(loopback.requests[-1]["messages"])


def test_who_cannot_see_says_so_before_anything_is_asked(photos: tuple[str, str], run: Run) -> None:
    done = run("ask", "--image", photos[0], "What is it?", "--backend", "llamacpp")
    assert (done.code, done.out) == (2, "")
    assert "llamacpp cannot see pictures. Name a model that sees with --backend, or give" in done.err
    for words, why in (
        (("--image", "none.png"), "none.png: No such file or directory."),
        (("--image", __file__), "test_pictures.py is text; pictures are taken as PNG, JPEG"),
        (("--image", photos[0], "--raw"), "--raw and --image"),
    ):
        done = run("ask", *words, "What?", "--backend", "openai")
        assert (done.code, done.out, why in done.err, len(done.err.splitlines())) == (2, "", True, 1), done.err


def test_a_chat_shows_what_is_attached_with_the_next_message(photos: tuple[str, str], run: Run) -> None:
    red, blue = photos
    lines = (f"/attach {red}", f"/attach {blue}", "/documents", "/detach red.png", "What is it?", "/documents", "And?")
    done = run("chat", said="\n".join(lines), LLM_BACKEND="openai")
    assert done.code == 0, done.err
    assert [line.strip() for line in done.out.splitlines()] == [
        "red.png: a picture of 640 x 480, which goes with the next message.",
        "blue.jpg: a picture of 300 x 400, which goes with the next message.",
        "red.png goes with the next message.",
        "blue.jpg goes with the next message.",
        "red.png does not go with the next message.",
        "I see blue 300 x 400.",
        "There are no documents in this conversation: /attach FILE adds one.",
        "I see nothing.",
    ]
    [kept] = mine("terminal").listing()
    thread = mine("terminal").thread(kept.id)
    assert [each.name for each in thread.pictures[thread.messages[0].id]] == ["blue.jpg"]


@needs_scans
def test_who_cannot_see_reads_what_is_attached(tmp_path: Path, run: Run) -> None:
    (tmp_path / "sign.png").write_bytes(encode(draw(lines("The lamp of Ardmore is green.")), "PNG"))
    done = run("chat", said=f"/attach {tmp_path / 'sign.png'}", LLM_BACKEND="llamacpp")
    assert "sign.png: 1 page" in done.out
    assert "llamacpp cannot see pictures: the text in sign.png is read." in done.err


def test_a_server_of_ours_is_shown_pictures(photos: tuple[str, str], serve: Serve, loopback: Loopback) -> None:
    given = {"OPENAI_BASE_URL": loopback.url, "OPENAI_API_KEY": KEY}
    url = str(serve(LLM_BACKEND="openai", **given).base_url)
    done = run_process("ask", "--image", photos[0], "What is it?", "--url", url)
    assert (done.code, done.out.strip()) == (0, "I see red 640 x 480."), done.err
    said = f"/attach {photos[1]}\nWhat is it?"
    assert "I see blue 300 x 400." in run_process("chat", "--url", url, said=said).out
