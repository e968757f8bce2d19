"""Personas of one's own, on both databases."""

from pathlib import Path

import pytest

from conversations.store import personas
from conversations.store.store import open_store
from conversations.store.text import MessageError
from prompts.persona import Persona, PersonaNotFoundError, find
from settings import Settings


def test_a_persona_is_kept_replaced_and_forgotten_for_one_owner(database_url: str) -> None:
    mine, other = (open_store(Settings.read(), owner) for owner in ("me", "you"))
    made = personas.parse(" Zoe,\tthe diver ", "", "I dive.\n\n  I like   whales.\n")
    assert (made.slug, made.name, made.description) == ("zoe-the-diver", "Zoe, the diver", "I dive.")
    assert made.sentences == ("I dive.", "I like whales.")
    personas.save(mine, made)
    personas.save(mine, personas.parse("Zoe, the diver", "dives at night", "I dive at night."))
    personas.save(mine, personas.parse("Abe", "", "I sing."))
    assert [(p.name, p.sentences) for p in personas.listing(mine)] == [
        ("Abe", ("I sing.",)),
        ("Zoe, the diver", ("I dive at night.",)),
    ]
    assert personas.listing(other) == []
    personas.remove(other, "abe")
    personas.remove(mine, "zoe-the-diver")
    assert [p.slug for p in personas.listing(mine)] == ["abe"]


def test_an_own_persona_hides_another_and_a_spoilt_file_is_named(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = open_store(Settings.read(), "me")
    everybody, own, error = personas.available(mine)
    assert (own, error) == ([], None)
    cook = find("cook", everybody)
    personas.save(mine, Persona("cook", "Mine", "Mine.", ("I am mine.",)))
    assert find("cook", personas.available(mine).personas).name == "Mine"
    assert len(personas.available(mine).personas) == len(everybody)
    (tmp_path / "data" / "personas").mkdir(parents=True)
    (tmp_path / "data" / "personas" / "spoilt.txt").write_text("")
    available = personas.available(mine)
    assert len(available.personas) == len(everybody)
    assert "spoilt.txt" in (available.error or "")
    with pytest.raises(PersonaNotFoundError, match="'nobody'") as caught:
        find("nobody", available.personas)
    assert caught.value.slugs == sorted(caught.value.slugs)
    assert cook.slug in caught.value.slugs


@pytest.mark.parametrize(
    ("name", "sentences", "said"),
    [("", "I dive.", "needs a name"), ("Zoe", " \n ", "at least one sentence"), ("Zoe", "x" * 20_001, "20,000")],
)
def test_a_persona_that_is_none_is_refused(name: str, sentences: str, said: str) -> None:
    with pytest.raises(MessageError, match=said):
        personas.parse(name, "", sentences)


def test_what_no_database_holds_is_replaced() -> None:
    made = personas.parse("Z\x00oe", "a\ud800b", "I\x00 dive.\u2028Twice.")
    assert (made.name, made.description) == ("Z\ufffdoe", "a\ufffdb")
    assert made.sentences == ("I\ufffd dive.", "Twice.")
