"""A completion over HTTP: its owner follows it to its end, nobody else does, and it goes with the page that kept it."""

import gc
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.applications import Starlette

from conversations.replies import Reply
from page.session import stream
from page.stream import completion, routes
from page.stream.completion import Completion
from tests.asgi import listening
from tests.conftest import free_port
from tests.conversations.talk import wait_for
from tests.page.stream.reader import reading, ticket

pytestmark = [pytest.mark.server]


@pytest.fixture
def address() -> Iterator[str]:
    """A server that has the stream alone."""
    port = free_port()
    with listening(Starlette(routes=routes(lambda: False)), port):
        yield f"http://127.0.0.1:{port}"
    stream.withdraw()


def grow(*parts: str) -> Reply:
    """A reply of these words."""

    async def said(_: Reply) -> AsyncIterator[str]:
        for part in parts:
            yield part

    return Reply(said)


def test_its_owner_follows_it_to_its_end(address: str) -> None:
    kept = Completion(ticket()[2], "Once <b>\n\n", grow("upon ", "a & b", "\ntime"))
    with reading(address, kept.topic) as reader:
        reader.until_ended(kept.topic)
    assert reader.states[kept.topic]["blocks"] == ["Once &lt;b&gt;", "<br>", "upon a &amp; b", "time"]
    assert kept.whole == "Once <b>\n\nupon a & b\ntime"


def test_nobody_else_does(address: str) -> None:
    kept = Completion(ticket()[2], "Once ", grow("upon"))
    topics = kept.topic, "d:guessed"
    with reading(address, *topics, browser="other") as reader:
        reader.until_ended(*topics)
    assert all(reader.states[topic]["gone"] and "blocks" not in reader.states[topic] for topic in topics)


def test_it_goes_with_the_page_that_kept_it(address: str) -> None:
    kept = Completion(ticket()[2], "Once ", grow("upon"))
    number = kept.number
    with reading(address, kept.topic) as reader:
        reader.until_ended(kept.topic)
    assert completion.find(number, ticket()[2]) is kept
    del kept

    def is_gone() -> bool:
        gc.collect()
        return completion.find(number, ticket()[2]) is None

    assert wait_for(is_gone, 30) is True
