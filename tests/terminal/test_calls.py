"""Tools in a terminal: switched on, asked about, and answered with a letter."""

import json

from conversations.store.schema import CallStatus
from tests.conversations.replies.web import Web
from tests.conversations.talk import mine
from tests.loopback import Loopback
from tests.terminal.conftest import CTRL_D, Start


def test_a_call_is_asked_about_and_waits_for_the_next_start(chat: Start, loopback: Loopback, web: Web) -> None:
    reads = f"call read_page {json.dumps({'url': web.url()})}"
    loopback.script.extend([f"I look.\n{reads}", "say It is closed.", reads, "say Still closed."])
    talk = chat(LLM_BACKEND="openai")
    talk.send_line("/tools read_pag")
    talk.expect("there is no such tool.")
    talk.wait_for_prompt()
    talk.send_line("/tools read_page calculator")
    talk.expect("*  read_page")
    talk.wait_for_prompt()
    talk.send_line("Is it open?")
    talk.expect("read_page asks to be called with")
    talk.expect("[n]o: ")
    assert web.asked == []
    talk.send_line("perhaps")
    talk.expect("Type one of y, yes, a, always, n, no, never.")
    talk.send_line("y")
    talk.expect("It is closed.")
    talk.expect("read_page {")
    talk.expect("done")
    talk.wait_for_prompt()
    assert web.asked == ["/"]
    talk.send_line("And now?")
    talk.expect("Words of strangers stand in this conversation, the last from read_page (own):")
    talk.expect("The harbour is closed on Mondays.")
    talk.expect("[n]o: ")
    talk.send_key(CTRL_D)
    talk.expect("The call waits for an answer here")
    talk.wait_for_prompt()
    talk.send_key(CTRL_D)
    assert talk.wait_for_exit() == 0
    assert web.asked == ["/"]

    again = chat("--resume", wait="[n]o: ", LLM_BACKEND="openai")
    again.send_line("n")
    again.expect("Still closed.")
    again.wait_for_prompt()
    [conversation] = mine("terminal").listing()
    assert conversation.tools == ["read_page", "calculator"]
    head = conversation.head or 0
    assert [each.status for each in mine("terminal").calls(head)] == [CallStatus.DENIED]
    assert web.asked == ["/"]
