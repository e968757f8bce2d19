"""What a message may hold."""

import pytest

from conversations.store.text import MAX_MESSAGE_LENGTH, MessageError, check_message, clean


@pytest.mark.parametrize(
    "text", ["hi", "a\tb\r\n\x1b[0m\x07", "שלום עולם", "👩‍👩‍👧", "<b>{{ 1 }}</b>", "x" * MAX_MESSAGE_LENGTH]
)
def test_what_can_be_kept_stays_as_it_is(text: str) -> None:
    assert check_message(text) == text


@pytest.mark.parametrize(
    ("text", "kept"), [("a\x00b", "a\ufffdb"), ("\ud800 half", "\ufffd half"), ("x\udfff", "x\ufffd")]
)
def test_what_no_database_holds_is_shown_as_such(text: str, kept: str) -> None:
    assert clean(text) == check_message(text) == kept


@pytest.mark.parametrize(
    ("text", "said"), [("", "empty"), (" \n", "empty"), ("x" * 2**20, "1,048,576 characters; at most 100,000")]
)
def test_what_cannot_be_sent(text: str, said: str) -> None:
    with pytest.raises(MessageError, match=said):
        check_message(text)
