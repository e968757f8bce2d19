"""Many chats in one batch get what each would get alone, whenever they come, go, stop or follow on."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from backends.local.sampling import WHOLE_WINDOW
from tests.backends.llama.chats import PATIENCE, Alone, Ear, Watching, opened

BEGINNINGS = ("You are a friendly assistant who answers in short sentences. ", "I like music and", "")
STOPS = ((), ("e",), ("you are", " a"), ("\n", ", "), ("never said by anybody",))
SIZES = ((2, 1024), (3, 1280), (4, 4096), (8, 2048))  # chats together, tokens of all


@dataclass(frozen=True)
class Turn:
    """What is added to the conversation, and what becomes of the reply."""

    words: tuple[int, ...]
    longest: int
    stop: tuple[str, ...]
    ignore_eos: bool
    cancel: int | None  # after so many tokens


@dataclass(frozen=True)
class Chat:
    """A conversation that begins when the engine has drawn `arrival` more tokens."""

    beginning: int
    arrival: int
    turns: tuple[Turn, ...]


TURNS = st.builds(
    Turn,
    words=st.integers(1, 60).flatmap(lambda size: st.tuples(*[st.integers(300, 4000)] * size)),
    longest=st.integers(1, 40),
    stop=st.sampled_from(STOPS),
    ignore_eos=st.booleans(),
    cancel=st.none() | st.none() | st.integers(0, 20),
)
CHATS = st.builds(
    Chat,
    beginning=st.integers(0, len(BEGINNINGS) - 1),
    arrival=st.sampled_from((0, 0, 3, 20, 60)),
    turns=st.lists(TURNS, min_size=1, max_size=3).map(tuple),
)


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[0]}-{size[1]}")
def engine(request: pytest.FixtureRequest) -> Iterator[Watching]:
    """One engine for all examples, so that each finds what the last one left."""
    with opened(*request.param) as engine:
        yield engine


@pytest.fixture(scope="module")
def alone(engine: Watching) -> Iterator[Alone]:
    """The same weights without it."""
    found = Alone(engine.model)
    yield found
    found.close()


def talk(engine: Watching, chat: Chat, said: list[tuple[Turn, Ear]], over: threading.Event) -> None:
    """All turns of a conversation, each after the reply before it."""
    begin = engine.sampled_tokens
    while engine.sampled_tokens < begin + chat.arrival and engine.pending_count():
        over.wait(0.001)
    ids = engine.encode(BEGINNINGS[chat.beginning])
    for turn in chat.turns:
        ids = [*ids, *turn.words]
        ear = Ear(engine, ids, stop=turn.stop, max_tokens=turn.longest, ignore_eos=turn.ignore_eos)
        said.append((turn, ear.ask()))
        if turn.cancel is not None:
            ear.heard(turn.cancel)
            engine.cancel(ear.request)
            return
        ear.end()
        ids += engine.drawn[ear.request]


# What threads do is another thing at every run: to make an example smaller would only take long.
@settings(
    max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(chats=st.lists(CHATS, min_size=2, max_size=10))
def test_together_as_alone(engine: Watching, alone: Alone, chats: list[Chat]) -> None:
    said: list[tuple[Turn, Ear]] = []
    over = threading.Event()
    threads = [threading.Thread(target=talk, args=(engine, chat, said, over)) for chat in chats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    for turn, ear in said:
        compare(engine, alone, turn, ear)
    assert engine.watched.samplers == engine.pending_count()


def compare(engine: Watching, alone: Alone, turn: Turn, ear: Ear) -> None:
    """What was drawn is what is drawn alone, or a beginning of it where the owner left; text and end fit to it."""
    while turn.cancel is not None and ear.request in engine._running:
        time.sleep(0.001)
    drawn = engine.drawn.pop(ear.request, [])
    expected = alone.greedy(ear.request, turn.stop)
    assert alone.same(ear.request, drawn, expected), (drawn, expected)
    if turn.cancel is not None:
        return
    if drawn[: len(expected)] == expected:
        assert len(drawn) == len(expected)
    whole = b"".join(engine.token_bytes(token) for token in drawn).decode("utf-8", "replace")
    cut = min((at for stop in turn.stop if (at := whole.find(stop)) >= 0), default=len(whole))
    assert ear.text == whole[:cut]
    ended = cut < len(whole) or engine.is_end(drawn[-1])
    assert ear.end().finish == ("stop" if ended else "length")


def test_a_tie_is_told_from_a_mistake(engine: Watching, alone: Alone) -> None:
    """The comparison itself: another token than the likeliest is a mistake unless the two are level."""
    ear: Any = Ear(engine, "I like music and", max_tokens=5)
    expected = alone.greedy(ear.request)
    second = int(alone.logits([*ear.request.prompt, *expected[:2]]).argsort()[-2])
    assert alone.same(ear.request, expected, expected)
    assert not alone.same(ear.request, [*expected[:2], second], expected)


def test_characters_of_several_tokens_come_whole(engine: Watching) -> None:
    """Byte tokens in any order, batched: what is shown is what all the bytes are as one text."""
    prompt = engine.encode("\U0001f600\U0001f9e0\u05e9\u6f22\u00e9 \U0001f468\u200d\U0001f469 " * 3)
    heat: dict[str, Any] = {
        "temperature": 2.0,
        "top_k": 0,
        "top_p": 1.0,
        "repetition_penalty": 0.05,
        "repeat_last_n": WHOLE_WINDOW,
    }  # draws what the prompt holds
    ears = [Ear(engine, prompt, **heat, max_tokens=60, ignore_eos=True, seed=seed).ask() for seed in range(10)]
    whole = [ear.reply() for ear in ears]
    for ear, text in zip(ears, whole, strict=True):
        drawn = b"".join(engine.token_bytes(token) for token in engine.drawn[ear.request])
        assert text == drawn.decode("utf-8", "replace")
    assert any(ord(character) > 0x7F and character != "\ufffd" for character in "".join(whole))
    assert sum(1 for ear in ears for event in ear.events if not event.text) > 50, "bytes were held back"
