"""Thinking that a server left in the text: found by its marks, however a reply is cut, never taken out of an answer."""

import httpx2
import pytest

from backends.remote import beginnings
from backends.remote.beginnings import Beginnings
from backends.remote.chunk import Chunk
from backends.remote.inline import BY_OPENING, TAGGED, InlineReader, closed_form, opened_form
from backends.thinking.formats import THINK, ThinkingFormat
from tests.backends.thinking.test_reader import cut
from tests.byte_server import STOP, ByteServer, ask_chain, chunk, delta, load, reply, stream, whole

THOUGHT, ANSWER = "First I add.\n\nThen a < b holds", "It is 4: `x <y`\n\nand [this]."
MARKED = sorted(BY_OPENING.items())


@pytest.fixture(autouse=True)
def beginnings_known(monkeypatch: pytest.MonkeyPatch) -> Beginnings:
    """Nothing is known of any model."""
    fresh = Beginnings()
    monkeypatch.setattr("backends.remote.normalizer.BEGINNINGS", fresh)
    monkeypatch.setattr("backends.remote.reasoning.BEGINNINGS", fresh)
    return fresh


def read(pieces: list[str], form: ThinkingFormat | None = None, is_cut: bool = False) -> tuple[str, str]:
    """What was thought, and what was answered."""
    reader, found = InlineReader(), list[Chunk]()
    reader.expect(form)
    for piece in pieces:
        found += reader.push(piece)
    found += reader.close(is_cut)
    return "".join(each.reasoning for each in found), "".join(each.text for each in found)


@pytest.mark.parametrize(("opening", "form"), MARKED, ids=[opening for opening, _ in MARKED])
def test_a_reply_that_begins_with_a_mark_thinks(opening: str, form: ThinkingFormat) -> None:
    text = f"\n{opening}{THOUGHT}{form.closing}{ANSWER}"
    for seed in range(10):
        assert read(cut(text, seed)) == (THOUGHT, ANSWER)


@pytest.mark.parametrize("form", TAGGED, ids=lambda form: form.name)
def test_a_reply_that_begins_within_is_told_apart_where_that_is_known(form: ThinkingFormat) -> None:
    text = f"{THOUGHT}{form.closing}{ANSWER}"
    for seed in range(10):
        assert read(cut(text, seed), form) == (THOUGHT, ANSWER)
    assert read([text]) == ("", text), "else it is as it came"


def test_what_never_came_out_of_its_thinking_was_an_answer() -> None:
    assert read(cut(ANSWER, 1), THINK) == (ANSWER, ANSWER)
    assert read(cut(THOUGHT, 1), THINK, is_cut=True) == (THOUGHT, "")
    assert read(cut(f"<think>{THOUGHT}", 1)) == (THOUGHT, ""), "a mark says that it is none"


ANSWERS = [
    "The tag <think> begins it, and </think> ends it.",
    "`<think>`",
    "Use:\n```\n<think>\nhm\n</think>\n```\nThat is all.",
    "Models write\n</think> at the end.",
    "<thinker>",
    "<",
    "  hi",
]


@pytest.mark.parametrize("text", ANSWERS)
def test_a_mark_that_an_answer_speaks_of_is_text(text: str) -> None:
    assert read(cut(text, 3)) == ("", text)
    assert closed_form(text) is None


def test_a_whole_answer_that_began_within_is_seen_by_its_end() -> None:
    assert closed_form(f"{THOUGHT}\n</think>\n\n{ANSWER}") is THINK
    assert closed_form(f"</think>\n\n{ANSWER}") is THINK
    assert closed_form(f"[a]\n[/THINK]\n{ANSWER}") is BY_OPENING["[THINK]"]


def test_a_prompt_shows_whether_it_opens_the_thinking() -> None:
    assert opened_form("<|im_start|>assistant\n<think>\n") is THINK
    assert opened_form("<|im_start|>assistant\n<think>\n\n</think>\n\n") is None
    assert opened_form("<|im_start|>assistant\n") is None


USAGE = {"prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39}
WITHIN = [chunk(piece) for piece in cut("Let me see.\n</think>\n\nIt is 4.", 5)]


def test_through_the_chain(byte_server: ByteServer) -> None:
    pieces = [chunk(piece) for piece in cut("<think>\nLet me see.\n</think>\n\nIt is 4.", 5)]
    byte_server.answer(stream(*pieces, chunk(STOP, usage=USAGE)))
    text, report = ask_chain()
    assert (text, report.thinking.text, report.completion_tokens) == ("It is 4.", "Let me see.", 30)
    assert report.thinking_tokens


def test_a_whole_answer(byte_server: ByteServer) -> None:
    for said in ("<think>Let me see.</think>It is 4.", "Let me see.\n</think>\n\nIt is 4."):
        byte_server.answer(reply(whole(content=said)))
        message = load().invoke("hi")
        assert (message.text, message.additional_kwargs["reasoning_content"]) == ("It is 4.", "Let me see.")
    byte_server.answer(reply(whole(content=ANSWERS[3])))
    assert load().invoke("hi").text == ANSWERS[3]


def test_a_model_that_began_within_once_does_so_again(byte_server: ByteServer) -> None:
    byte_server.answer(stream(*WITHIN, chunk(STOP)))
    assert ask_chain()[0] == "Let me see.\n</think>\n\nIt is 4.", "nothing was known"
    text, report = ask_chain()
    assert (text, report.thinking.text) == ("It is 4.", "Let me see.")
    assert ask_chain(reasoning_effort="none")[0].startswith("Let"), "known only of the same switches"


def test_a_model_that_does_not_is_taken_at_its_word(byte_server: ByteServer) -> None:
    plain = stream(chunk("It is"), chunk(" 4."), chunk(STOP))
    byte_server.answer(stream(*WITHIN, chunk(STOP)), plain)
    assert [ask_chain()[0] for _ in range(3)] == ["Let me see.\n</think>\n\nIt is 4.", "It is 4.", "It is 4."]
    assert not ask_chain()[1].thinking.text, "by now it is known again"


def test_a_server_that_shows_its_prompt_is_read_by_it(byte_server: ByteServer, beginnings_known: Beginnings) -> None:
    first = {**chunk({"delta": {"role": "assistant", "content": ""}}), "prompt_text": "user: hi\nassistant: <think>\n"}
    byte_server.answer(stream(first, *WITHIN, chunk(STOP)), stream(*WITHIN, chunk(STOP)))
    for _ in range(2):
        text, report = ask_chain()
        assert (text, report.thinking.text) == ("It is 4.", "Let me see.")
    assert beginnings_known.is_known(byte_server.url, byte_server.requests[-1])


def test_a_server_that_tells_it_apart_is_trusted(byte_server: ByteServer, beginnings_known: Beginnings) -> None:
    first = {**chunk({"delta": {"role": "assistant", "content": ""}}), "prompt_text": "assistant: <think>\n"}
    said = [delta(reasoning="Let me see."), chunk("<think> is"), chunk(" a tag."), chunk(STOP)]
    byte_server.answer(stream(first, *said), stream(*said[1:]))
    assert ask_chain()[0] == "<think> is a tag."
    assert beginnings_known.is_known(byte_server.url, byte_server.requests[-1])


def test_little_is_remembered(beginnings_known: Beginnings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginnings, "REMEMBERED", 2)
    requests = [
        httpx2.Request("POST", "http://a/v1/chat/completions", json={"model": f"m-{n}", "messages": []})
        for n in range(3)
    ]
    for request in requests:
        beginnings_known.learn(request, THINK)
    assert [beginnings_known.expected(request) is not None for request in requests] == [False, True, True]
