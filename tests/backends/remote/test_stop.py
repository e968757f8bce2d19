"""Which of the texts that were asked for ended a reply: as each server tells it, and nothing where it is not known."""

from typing import Any

import pytest

from tests.byte_server import STOP, TEXT, ByteServer, ask_chain, chunk, load, reply, stream, whole, words

ASKED = ["END", "Human:"]
TOLD: dict[str, tuple[dict[str, Any], list[str], str | None]] = {
    "vLLM": ({"stop_reason": "END"}, ASKED, "END"),
    "vLLM's end token": ({"stop_reason": 151645}, ASKED, None),
    "SGLang": ({"matched_stop": "Human:"}, ASKED, "Human:"),
    "TGI, of one": ({"finish_reason": "stop_sequence"}, ["END"], "END"),
    "TGI, of two": ({"finish_reason": "stop_sequence"}, ASKED, None),
    "OpenRouter, of one": ({"native_finish_reason": "stop_sequence"}, ["END"], "END"),
    "a word for the end": ({"stop_reason": "end_turn"}, ASKED, None),
    "another text": ({"stop_reason": "never asked for"}, ASKED, None),
    "nothing": ({}, ASKED, None),
}


@pytest.mark.parametrize(("end", "asked", "told"), TOLD.values(), ids=TOLD)
def test_the_text_that_ended_a_reply(
    byte_server: ByteServer, end: dict[str, Any], asked: list[str], told: str | None
) -> None:
    byte_server.answer(stream(*words(), chunk({**STOP, **end})))
    text, report = ask_chain(stop=asked)
    assert (text, report.stop_reason, report.stop_sequence) == (TEXT, "stop", told)
    answer = whole(content=TEXT)
    answer["choices"][0] |= end
    byte_server.answer(reply(answer))
    message = load().invoke("hi", stop=asked)
    assert (message.text, message.response_metadata.get("stop_sequence")) == (TEXT, told)
