"""The personas of a user's dialogues become files, each once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prompts.persona import load
from training.dialogue import Dialogue, Text
from training.personas import write_personas

CATS = ("i have two cats.", "my name is Rosa.")
BAKER = ("I work as a baker.",)


def dialogue(*personas: tuple[str, ...]) -> Dialogue:
    return Dialogue("own", ("hi", "hello"), personas)


def test_each_distinct_persona_is_written_once(tmp_path: Path) -> None:
    items: list[Dialogue | Text] = [
        dialogue(CATS, BAKER),
        dialogue((), CATS),
        dialogue(("My name is Rosa.", " I have  two cats."), BAKER),
        dialogue(),
        Text("own", "I have two cats."),
    ]
    assert write_personas(items, tmp_path) == 2
    baker, cats = sorted(load(tmp_path), key=lambda p: len(p.sentences))
    assert (cats.name, cats.description, cats.sentences) == ("I have two cats", "My name is Rosa", CATS)
    assert (baker.name, baker.description, baker.sentences) == ("I work as a baker", "I work as a baker", BAKER)
    assert baker.slug.startswith("i-work-as-a-baker-")


def test_a_second_draw_gives_the_same_files(tmp_path: Path) -> None:
    write_personas([dialogue(CATS, BAKER)], tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert write_personas([dialogue(BAKER, CATS)], tmp_path) == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_personas_that_begin_alike_have_files_of_their_own(tmp_path: Path) -> None:
    items = [dialogue(("I like tea.", f"I am {age} years old."), ()) for age in range(20, 60)]
    assert write_personas(items, tmp_path) == 40
    assert {p.sentences for p in load(tmp_path)} == {item.personas[0] for item in items}


def test_it_stops_at_the_limit(tmp_path: Path) -> None:
    def endless() -> Iterator[Dialogue]:
        age = 0
        while True:
            yield dialogue((f"I am {(age := age + 1)} days old.",), ())

    assert write_personas(endless(), tmp_path, limit=7) == 7
    assert len(load(tmp_path)) == 7


@pytest.mark.parametrize(
    "sentence",
    [
        "...",
        "..",
        "日本に住んでいます。",
        "x" * 500,
        "word " * 100,
        "../../etc/passwd",
        "half \ud83d",
        "two\nlines",
        "…",
        "🐱" * 60,
    ],
)
def test_odd_sentences_make_files_that_load(tmp_path: Path, sentence: str) -> None:
    assert write_personas([dialogue((sentence, "", " "), ())], tmp_path) == 1
    (persona,) = load(tmp_path)
    assert persona.system == " ".join(sentence.replace("\ud83d", "?").split())
    assert len(persona.name) <= 40
    assert [path.parent for path in tmp_path.rglob("*.txt")] == [tmp_path]


def test_nothing_to_draw(tmp_path: Path) -> None:
    assert write_personas([dialogue(), dialogue(("", " "), ())], tmp_path) == 0
    with pytest.raises(ValueError, match="limit 0: at least 1 persona"):
        write_personas([dialogue(CATS, BAKER)], tmp_path, limit=0)
    assert list(tmp_path.iterdir()) == []
