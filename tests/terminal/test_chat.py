"""A chat as a person types it, in a real pseudo-terminal."""

from pathlib import Path

import pytest

from conversations.exchange import parse_file
from tests.conftest import GGUF
from tests.conversations.talk import mine, texts, wait_for
from tests.loopback import Loopback
from tests.terminal.conftest import ALT_ENTER, CTRL_C, CTRL_D, TAB, UP, Start


def test_a_message_is_answered_kept_and_brought_back(chat: Start) -> None:
    first = chat("--seed", "1")
    first.send_line("hi, how are you?")
    first.expect("llamacpp · ")
    first.expect("tokens/s")
    first.wait_for_prompt()
    first.send_key(UP)
    first.expect("hi, how are you?")
    first.send_key(CTRL_C)  # clears the line
    first.send_line("exit")
    assert first.wait_for_exit() == 0
    [kept] = mine("terminal").listing()
    assert f"--conversation {kept.id} goes on with this" in first.shown
    question, answer = texts(mine("terminal"), kept.id)
    assert question == "hi, how are you?"
    assert answer in first.shown

    again = chat("--resume")
    assert f"> {question}\r\n{answer}" in again.shown
    again.send_key(UP)  # from the store: no other file holds it
    again.expect(question)
    again.send_line("")
    again.expect("llamacpp · ")
    again.wait_for_prompt()
    again.send_key(CTRL_D)
    assert again.wait_for_exit() == 0
    assert len(texts(mine("terminal"), kept.id)) == 4


def test_ctrl_c_reaches_the_server_and_the_chat_goes_on(chat: Start, loopback: Loopback) -> None:
    loopback.script.append("slow")
    talk = chat(LLM_BACKEND="openai")
    talk.send_line("count")
    before = talk.expect("word3")
    assert "word1 " in before  # piece by piece: the last one comes after ten seconds
    talk.send_key(CTRL_C)
    talk.expect("stopped")
    wait_for(lambda: loopback.gone)
    assert loopback.sent < 150
    talk.wait_for_prompt()
    talk.send_line("and now?")
    talk.expect("It is a fine day .")
    talk.wait_for_prompt()
    talk.send_key(CTRL_C)
    talk.expect("Ctrl-C once more")
    talk.wait_for_prompt()
    talk.send_key(CTRL_C)
    assert talk.wait_for_exit() == 0


def test_nothing_in_a_reply_reaches_the_terminal_as_an_order(chat: Start, loopback: Loopback) -> None:
    loopback.reply = "\x1b]0;owned\x07 \x1b[31mred \x9b5mc1 [bold]not[/bold] \x08\x7f:smile: end"
    loopback.models = ["\x1b[31mred"]
    talk = chat(LLM_BACKEND="openai")
    talk.send_line("hi")
    talk.expect("]0;owned [31mred 5mc1 [bold]not[/bold] :smile: end")
    talk.expect("6 tokens")
    assert [mark for mark in ("\x1b]0;", "\x1b[31m", "\x9b", "\x7f", "\x07") if mark in talk.shown] == []


def test_a_failed_reply_is_a_line_and_the_chat_goes_on(chat: Start, loopback: Loopback) -> None:
    loopback.script.extend(["refuse top_k", "overflow"])
    talk = chat(LLM_BACKEND="openai")
    talk.send_line("hi")
    talk.expect("Unknown parameter: 'top_k'. Unset the knob that the server names.")
    talk.wait_for_prompt()
    talk.send_line("a long one")
    talk.expect("maximum context length is 100 tokens.")
    talk.expect("/reset begins a new conversation")
    talk.wait_for_prompt()
    talk.send_line("/reset")
    talk.expect("the old one stays in the store")
    talk.wait_for_prompt()
    talk.send_line("hi")
    talk.expect("It is a fine day .")
    talk.wait_for_prompt()
    talk.send_key(CTRL_D)
    assert talk.wait_for_exit() == 0
    assert len(mine("terminal").listing()) == 2


def test_lines_of_one_message(chat: Start, loopback: Loopback) -> None:
    talk = chat(LLM_BACKEND="openai")
    talk.send_line("one\\")
    talk.child.send("two" + ALT_ENTER + "three\r")
    talk.expect("It is a fine day .")
    assert loopback.requests[-1]["messages"][-1]["content"] == "one\ntwo\nthree"


def test_a_model_of_this_machine_is_listed_chosen_and_answers(chat: Start, tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(GGUF.read_bytes())
    talk = chat(MODELS_DIRS=str(tmp_path))
    for line, seen in (
        ("/backend", "llamacpp:other"),
        ("/backend llamacpp:othr", "othr: there is no such model here"),
        ("hi", "llamacpp · "),
        ("/backend llamacpp:other", "llamacpp:other answers from now on."),
        ("hi", "llamacpp:other · "),
    ):
        talk.send_line(line)
        talk.expect(seen)
        talk.wait_for_prompt()
    talk.send_line("/backend")
    talk.wait_for_prompt()
    (marked,) = [line.split() for line in talk.shown.splitlines() if line.lstrip().startswith("*")][-1:]
    assert marked[1:] == ["llamacpp:other", "ready"]


def test_every_command(chat: Start, loopback: Loopback, tmp_path: Path) -> None:
    talk = chat(LLM_BACKEND="openai")
    for line, seen in (
        ("/help", "/persona [NAME|random|off]"),
        ("/persona", "night-baker"),
        ("/persona bekeeper", "Near: beekeeper"),
        ("/persona beekeeper", "Otis, beekeeper"),
        ("hi", "openai · 6 tokens"),
        ("/persona random", "A new conversation begins."),
        ("/persona off", "No persona."),
        ("/backend", "* "),
        ("/backend lamacpp", "Near: llamacpp"),
        ("/backend none", "There is no backend 'none'"),
        ("/save", "nothing has been said yet"),
        ("/reset", "Nothing has been said yet"),
        ("/backend llamacpp", "llamacpp answers from now on."),
        ("hi", "llamacpp · "),
        ("/save talk.json", "Written to talk.json"),
        ("/save talk.json", "Written to talk.json"),
        ("/save", "Written to chat-"),
        ("/save no/x.md", "name a file in a folder that is there"),
        ("/save talk.txt", "end it in .md"),
        ("/save ~nobody-of-this-name/x.md", "Name a folder without ~"),
        ("/sav", "Near: /save"),
        (" /etc is a folder?", "llamacpp · "),
    ):
        talk.send_line(line)
        talk.expect(seen)
        talk.wait_for_prompt()
    talk.send_key("/he" + TAB)
    talk.expect("lp")
    talk.send_line("")
    talk.expect("shows this")
    talk.send_line("/exit")
    assert talk.wait_for_exit() == 0
    assert loopback.requests[-1]["messages"][0]["content"].startswith("I am Otis")
    [saved] = parse_file(tmp_path / "talk.json")
    assert saved["messages"][0]["text"] == "hi"
    [written] = tmp_path.glob("chat-*.md")
    assert "> hi" in written.read_text()
    assert len(mine("terminal").listing()) == 2


def test_a_file_of_somebody_else_is_not_overwritten(chat: Start, loopback: Loopback, tmp_path: Path) -> None:
    (tmp_path / "kept.md").write_text("as it was")
    talk = chat(LLM_BACKEND="openai")
    talk.send_line("hi")
    talk.wait_for_prompt()
    talk.send_line("/save kept.md")
    talk.expect("there is such a file already")
    assert (tmp_path / "kept.md").read_text() == "as it was"


@pytest.mark.parametrize("backend", ["gpt2"])
def test_loading_is_told(chat: Start, backend: str) -> None:
    talk = chat(LLM_BACKEND=backend, MAX_TOKENS="8")
    talk.send_line("hi")
    talk.expect("Loading the model…")
    talk.expect(f"{backend} · ")
