"""Tools in a conversation: called, written down, left to a person, and read again by the next prompt."""

import json
import threading
import time
from typing import Any

import pytest
from sqlalchemy import update

from conversations.replies import approval, turn, watch
from conversations.store.calls import AnsweredError, Decision
from conversations.store.schema import CallStatus, Message, State, ToolCall
from conversations.store.statistics import Period, collect_statistics
from conversations.store.store import Store, sweep
from conversations.store.text import MessageError
from tests.conversations.replies.web import Web
from tests.conversations.talk import ask, mine, over, wait_for
from tests.loopback import Loopback

ON = {"tools": ["calculator", "date_time", "read_page"]}
SUM = 'call calculator {"expression": "6*7"}'


def say(store: Store, text: str, identity: str | None = None, new: Any = ON) -> Message:
    """The reply to a message, once it ended or waits."""
    return over(store, turn.send(store, identity, text, ask("openai"), new))


def reads(web: Web, path: str = "") -> str:
    return f"call read_page {json.dumps({'url': web.url(path)})}"


def told(server: Loopback, at: int = -1) -> list[tuple[str, str]]:
    """Role and content of the messages of a request, without the system's."""
    return [
        (each["role"], each["content"] or "") for each in server.requests[at]["messages"] if each["role"] != "system"
    ]


def paused(store: Store, server: Loopback, web: Web, *after: str) -> tuple[Message, ToolCall]:
    """A reply that waits for a person, and its call."""
    server.script.extend([f"I look.\n{reads(web)}", *after])
    row = say(store, "Is it open?")
    assert row.state == State.REQUIRES_ACTION
    (call,) = approval.waiting(store, row.id)
    return row, call


@pytest.mark.usefixtures("database_url")  # SQLite and PostgreSQL
def test_calls_are_carried_out_and_the_reply_goes_on(loopback: Loopback) -> None:
    store = mine()
    loopback.script.extend([f"Let me see.\n{SUM}\ncall date_time", "say It is 42.", "say Yes."])
    row = say(store, "What is 6 times 7?")
    assert (row.state, row.text) == (State.DONE, "Let me see. \n\nIt is 42. ")
    calls = store.calls(row.id)
    assert [(each.name, each.status, each.decided_by) for each in calls] == [
        ("calculator", CallStatus.DONE, "no approval needed"),
        ("date_time", CallStatus.DONE, "no approval needed"),
    ]
    assert (calls[0].result, json.loads(calls[0].arguments), calls[0].position) == ("42", {"expression": "6*7"}, 12)
    assert all(each.seconds is not None for each in calls)
    assert {tool["function"]["name"] for tool in loopback.requests[0]["tools"]} == {"calculator", "date_time"}
    # The next prompt holds the calls and their results.
    say(store, "Sure?", row.conversation_id)
    roles = [role for role, _ in told(loopback)]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert ("tool", "42") in told(loopback)
    # And where no tool is on any more, it is a chat like any other.
    store.update(row.conversation_id, tools=None)
    say(store, "Really?", row.conversation_id)
    assert "tools" not in loopback.requests[-1]
    assert told(loopback)[1] == ("assistant", row.text)


def test_where_no_tool_is_on_nothing_is_offered(loopback: Loopback) -> None:
    store = mine()
    row = say(store, "hi", new={})
    assert (row.state, store.calls(row.id)) == (State.DONE, [])
    assert "tools" not in loopback.requests[0]


def test_what_is_wrong_with_a_call_is_a_line_for_the_model(loopback: Loopback) -> None:
    store = mine()
    broken = 'call nothing {}\ncall calculator {\ncall calculator {"sum": 1}\ncall calculator {"expression": "1/0"}'
    loopback.script.extend([broken, "say Then not."])
    row = say(store, "Try it.")
    assert (row.state, row.text) == (State.DONE, "Then not. ")
    results = [str(each.result) for each in store.calls(row.id)]
    assert {each.status for each in store.calls(row.id)} == {CallStatus.FAILED}
    assert any(text.startswith("There is no tool 'nothing' in this conversation; there is: calc") for text in results)
    assert any(text.endswith("are no JSON object: {") for text in results), "LangChain would complete it"
    assert any("expression: Field required" in text for text in results)
    assert any(text == "Division by zero." for text in results)
    assert all("\n" not in text for text in results)


def test_a_model_that_only_calls_comes_to_an_end(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS_ROUNDS", "3")
    loopback.answer = lambda body: SUM
    store = mine()
    row = say(store, "Count.")
    assert row.state == State.DONE
    assert row.text == "*The limit of 3 rounds of tool calls for one reply is reached (TOOLS_ROUNDS).*"
    assert (len(store.calls(row.id)), len(loopback.requests)) == (3, 4)


def test_a_long_result_is_cut_where_the_window_has_no_room(
    loopback: Loopback, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_N_CTX", "1500")
    web.text = "word " * 3000
    store = mine()
    row, call = paused(store, loopback, web, "say It is long.")
    approval.answer(store, call.id, Decision.ONCE, "page", ask("openai", max_tokens=50))
    assert over(store, row).state == State.DONE
    (result,) = [content for role, content in told(loopback) if role == "tool"]
    assert result.endswith("\n[the rest of this result is left out: the window has no room for it]")
    assert 200 < len(result) < 6000
    assert len(store.calls(row.id)[0].result or "") > 10_000, "all of it is kept"


@pytest.mark.usefixtures("database_url")
def test_a_person_is_asked_and_the_same_reply_goes_on(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, call = paused(store, loopback, web, "say It is closed.")
    assert (call.name, call.origin, web.asked, row.text) == ("read_page", "own", [], "I look. ")
    approval.answer(store, call.id, Decision.ONCE, "terminal", ask("openai"))
    ended = over(store, row)
    assert (ended.state, ended.text, web.asked) == (State.DONE, "I look. \n\nIt is closed. ", ["/"])
    (call,) = store.calls(row.id)
    assert (call.status, call.decided_by) == (CallStatus.DONE, "terminal")
    assert "closed on Mondays" in (call.result or "")
    assert [role for role, _ in told(loopback)] == ["user", "assistant", "tool"]
    with pytest.raises(AnsweredError, match=r"waits no more: it is done \(terminal\)"):
        approval.answer(store, call.id, Decision.ONCE, "page", ask("openai"))


@pytest.mark.usefixtures("database_url")
def test_of_two_who_answer_at_once_one_is_first(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, call = paused(store, loopback, web, "say Done.")
    outcomes: list[str] = []

    def answer(by: str) -> None:
        try:
            approval.answer(store, call.id, Decision.ONCE if by == "page" else Decision.NO, by, ask("openai"))
            outcomes.append(by)
        except AnsweredError:
            outcomes.append("late")

    threads = [threading.Thread(target=answer, args=(by,)) for by in ("page", "api")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = set(outcomes) - {"late"}
    assert sorted(outcomes) == sorted(["late", winner])
    assert over(store, row).state == State.DONE
    assert store.calls(row.id)[0].decided_by == winner
    assert web.asked == (["/"] if winner == "page" else [])


@pytest.mark.parametrize("decision", [Decision.NO, Decision.NEVER])
def test_who_says_no_is_obeyed(loopback: Loopback, web: Web, decision: Decision) -> None:
    store = mine()
    row, call = paused(store, loopback, web, "say Then I cannot know.", reads(web), "say Still not.")
    approval.answer(store, call.id, decision, "page", ask("openai"))
    assert over(store, row).text == "I look. \n\nThen I cannot know. "
    assert ("tool", "The person did not allow this call.") in told(loopback)
    later = say(store, "Try again.", row.conversation_id)
    assert later.state == (State.DONE if decision is Decision.NEVER else State.REQUIRES_ACTION)
    assert web.asked == []


def test_a_reply_that_waits_for_two_goes_on_after_the_second(loopback: Loopback, web: Web) -> None:
    store = mine()
    loopback.script.extend([f"{reads(web, 'a')}\n{reads(web, 'b')}\n{SUM}", "say Both."])
    row = say(store, "Read both.")
    first, second = approval.waiting(store, row.id)
    assert [call.status for call in store.calls(row.id)] == ["waiting", "waiting", "done"], "who waits for nobody ran"
    approval.answer(store, first.id, Decision.ONCE, "page", ask("openai"))
    assert (store.message(row.id).state, web.asked) == (State.REQUIRES_ACTION, [])
    approval.answer(store, second.id, Decision.NO, "page", ask("openai"))
    assert (over(store, row).text, web.asked) == ("Both. ", ["/a"])


@pytest.mark.usefixtures("database_url")
def test_a_call_that_nobody_answers_expires(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, call = paused(store, loopback, web)
    with store.database.writing() as session:
        session.execute(update(ToolCall).values(expires=time.time() - 1))
    with pytest.raises(AnsweredError, match="it is expired"):
        approval.answer(store, call.id, Decision.ONCE, "page", ask("openai"))
    assert store.message(row.id).state == State.STOPPED
    assert (store.calls(row.id)[0].status, web.asked) == (CallStatus.EXPIRED, [])


def test_who_writes_something_else_cancels_the_call(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, call = paused(store, loopback, web, "say As you like.")
    say(store, "Leave it.", row.conversation_id)
    assert (store.message(row.id).state, store.calls(row.id)[0].status) == (State.STOPPED, CallStatus.CANCELLED)
    assert ("tool", "This call was cancelled: the person wrote something else.") in told(loopback)
    with pytest.raises(AnsweredError, match="it is cancelled"):
        approval.answer(store, call.id, Decision.ONCE, "page", ask("openai"))


def test_a_reply_that_waits_is_not_continued_past_its_call(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, _ = paused(store, loopback, web)
    with pytest.raises(MessageError, match="waits for your answer"):
        turn.continue_reply(store, row.id, ask("openai"))


def test_stop_ends_a_call_that_runs(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, call = paused(store, loopback, web)
    web.holds = True
    approval.answer(store, call.id, Decision.ONCE, "page", ask("openai"))
    wait_for(lambda: web.asked)
    watch.stop(store, row.id)
    assert over(store, row).state == State.STOPPED
    assert store.calls(row.id)[0].status == CallStatus.CANCELLED
    web.holds = False


def test_what_ran_when_a_process_died_is_not_run_again(loopback: Loopback, web: Web) -> None:
    """The row is as a killed process leaves it; a real kill is in test_survival."""
    store = mine()
    row, _ = paused(store, loopback, web, "say I do not know.")
    with store.database.writing() as session:
        session.execute(update(ToolCall).values(status=CallStatus.RUNNING))
        session.execute(update(Message).where(Message.id == row.id).values(state=State.INTERRUPTED))
    sweep(store.database)
    (left,) = store.calls(row.id)
    assert (left.status, left.result) == (
        CallStatus.FAILED,
        "The program ended while this ran: nobody knows whether it had an effect.",
    )
    turn.continue_reply(store, row.id, ask("openai"))
    assert (over(store, row).state, web.asked) == (State.DONE, [])


def test_deleting_a_conversation_deletes_its_calls(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, _ = paused(store, loopback, web)
    store.delete(row.conversation_id)
    assert (store.waiting_calls(), store.calls(row.id)) == ([], [])


def test_insights_count_calls_by_tool(loopback: Loopback, web: Web) -> None:
    store = mine()
    row, call = paused(store, loopback, web, f'{SUM}\ncall calculator {{"expression": "1/0"}}', "say Enough.")
    approval.answer(store, call.id, Decision.NO, "page", ask("openai"))
    over(store, row)
    uses = {use.name: use[1:4] for use in collect_statistics(store, Period()).tools}
    assert uses == {"calculator": (2, 1, 0), "read_page": (1, 0, 1)}
