"""Versions of conversations and of their list, on both databases: each change is seen, nobody else's is."""

import pytest

from conversations.store.versions import EMPTY, conversation_versions, listing_versions, version_of
from tests.conversations.talk import mine

pytestmark = pytest.mark.usefixtures("database_url")


def listed(owner: str = "me") -> str:
    return listing_versions(mine().database, [owner])[owner]


def new(title: str, owner: str = "me") -> str:
    """A conversation of this title."""
    store = mine(owner)
    with store.database.writing() as session:
        return store.create(session, title=title).id


def test_every_change_of_the_list_is_another_version() -> None:
    store = mine("me")
    seen = [listed()]
    first, second = new("one"), new("two")
    seen.append(listed())
    for identity, fields in (
        (first, {"title": "six"}),  # as long, and neither the first nor the last of the alphabet
        (second, {"title": "äö\u20ac"}),
        (first, {"pinned": True}),
    ):
        store.update(identity, **fields)
        seen.append(listed())
    store.update(first, title="äö\u20ac")
    store.update(second, title="six")  # both have changed places
    seen.append(listed())
    store.delete(first)
    seen.append(listed())
    assert seen[0] == EMPTY
    assert len(set(seen)) == len(seen)
    new("theirs", "other")
    assert listed() == seen[-1]


def test_a_conversation_has_the_version_of_how_it_was_read() -> None:
    store = mine("me")
    identity = new("one")
    key = "me", identity
    before = conversation_versions(store.database, [key])[key]
    assert before == version_of(store.get(identity))
    store.update(identity, title="two")
    assert conversation_versions(store.database, [key])[key] == version_of(store.get(identity)) != before
