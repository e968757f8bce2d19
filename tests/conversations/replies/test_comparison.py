"""One question to several backends: what is kept of it, and the vote."""

import pytest

from conversations.replies import comparison, turn
from conversations.replies.comparison import Comparison
from conversations.store.schema import State
from conversations.store.store import NotFoundError
from conversations.store.text import MessageError
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture
def begun(loopback: Loopback) -> Comparison:
    """Two backends' replies, which have ended."""
    identity = comparison.start(mine(), "hi", [ask("openai"), ask("llamacpp", max_tokens=5)])
    for reply in comparison.read(mine(), identity).replies:
        over(mine(), reply)
    return comparison.read(mine(), identity)


def again(begun: Comparison) -> Comparison:
    return comparison.read(mine(), begun.conversation_id)


def test_all_replies_are_kept_side_by_side(begun: Comparison, loopback: Loopback) -> None:
    assert begun.question.text == "hi"
    assert [begun.backend_name(at) for at in range(2)] == ["openai", "llamacpp"]
    assert begun.replies[0].text.strip() == loopback.reply
    assert [reply.state for reply in begun.replies] == [State.DONE, State.DONE]
    assert mine().get(begun.conversation_id).kind == "compare"


def test_who_writes_is_known_before_the_first_word(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    found = comparison.read(store, comparison.start(store, "hi", [ask("openai")]))
    assert (found.replies[0].backend, found.backend_name(0)) == (None, "openai")
    store.delete(found.conversation_id)


def test_there_is_one_winner(begun: Comparison) -> None:
    first, second = (reply.id for reply in begun.replies)
    comparison.vote(mine(), begun, first)
    assert again(begun).winner == first
    comparison.vote(mine(), again(begun), second)
    assert again(begun).winner == second
    mine().select_branch(second)
    assert list(mine().thread(begun.conversation_id).feedback) == [second]
    comparison.vote(mine(), again(begun), second)
    assert again(begun).winner is None


def test_a_chat_that_went_on_is_still_the_comparison(begun: Comparison) -> None:
    store = mine()
    store.select_branch(begun.replies[0].id)
    over(store, turn.send(store, begun.conversation_id, "and you?", ask("openai")))
    over(store, turn.regenerate(store, begun.replies[0].id, ask("openai")))
    assert [again(begun).backend_name(at) for at in range(3)] == ["openai", "llamacpp", "openai"]


def test_others_and_chats_are_not_found(begun: Comparison, loopback: Loopback) -> None:
    with pytest.raises(NotFoundError):
        comparison.read(mine("other"), begun.conversation_id)
    chat = turn.send(mine(), None, "hi", ask("openai"))
    with pytest.raises(NotFoundError):
        comparison.read(mine(), chat.conversation_id)
    over(mine(), chat)


@pytest.mark.parametrize(("text", "names"), [(" ", ["openai"]), ("hi", [])])
def test_what_cannot_be_asked_leaves_nothing(loopback: Loopback, text: str, names: list[str]) -> None:
    with pytest.raises(MessageError):
        comparison.start(mine(), text, [ask(name) for name in names])
    assert mine().listing() == []
