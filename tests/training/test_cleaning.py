"""What is dropped of raw dialogue, and how it is counted."""

from training import cleaning
from training.cleaning import Cleaner
from training.dialogue import Dialogue, Text


def test_unusable_turns_end_a_dialogue() -> None:
    def cleaned(*turns: str) -> tuple[str, ...] | None:
        kept = Cleaner(longest_turn=20).clean(Dialogue("x", turns))
        return kept.turns if isinstance(kept, Dialogue) else None

    assert cleaned("hi", "hello", "", "more") == ("hi", "hello")
    assert cleaned("hi", "I am [a name here]", "ok") is None
    assert cleaned("hi", "y" * 21) is None
    assert cleaned("hi", "donâ€™t") is None
    assert cleaned("hi", "caf\N{LATIN SMALL LETTER E WITH ACUTE}!") is not None


def test_what_is_dropped_is_counted_by_reason() -> None:
    cleaner = Cleaner(longest_turn=20)
    rows = [("a", "b"), ("a", "b"), ("", "b"), ("a",), ("a", "y" * 30), ("a", "b", "y" * 30), ("a", "[the name]")]
    for turns in rows:
        cleaner.clean(Dialogue("x", turns))
    cleaner.clean(Text("y", "  "))
    assert cleaner.counts["x"] == {
        "read": 7, "kept": 1, "dropped: duplicate": 2, "dropped: empty turn": 1, "dropped: one-sided": 1,
        "dropped: turn over 20 characters": 1, "cut: turn over 20 characters": 1, "dropped: placeholder": 1,
    }  # fmt: skip
    shown = "\n".join(cleaning.count_table(cleaner.counts))
    assert "dropped: duplicate" in shown
    assert "dropped: empty" in shown


def test_a_hidden_name_is_the_same_throughout_a_dialogue() -> None:
    turns = ("Hi, I'm [user 1's name].", "Hello [User 1's name], I'm [user 2 name].", "Bye, [User 2's name]!")
    kept = Cleaner().clean(Dialogue("x", turns))
    assert isinstance(kept, Dialogue)
    first, second = kept.turns[0][8:-1], kept.turns[2][5:-1]
    assert kept.turns == (f"Hi, I'm {first}.", f"Hello {first}, I'm {second}.", f"Bye, {second}!")
    assert first != second
