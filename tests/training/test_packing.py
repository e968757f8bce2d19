"""Encoded dialogues cut into pieces."""

from training import packing
from training.tokenizer import Encoded


def test_a_turn_before_gives_a_piece_its_context_and_is_not_learnt_again() -> None:
    # Three turns of 10 tokens after a header of 4; the assistant's are learnt.
    learnt = [False] * 14 + [True] * 10 + [False] * 10
    made = list(packing.split_into_pieces(Encoded(list(range(34)), learnt, [0, 4, 14, 24], 4), 34 - 1))
    assert [p.ids for p in made] == [list(range(24))], "what has nothing to learn is left away"
    learnt = [False] * 4 + [True] * 30
    made = list(packing.split_into_pieces(Encoded(list(range(34)), learnt, [0, 4, 14, 24], 4), 34 - 1))
    assert made[1].ids == [0, 1, 2, 3, *range(24, 34)]  # ten tokens are more than a third of the room
    made = list(
        packing.split_into_pieces(
            Encoded(list(range(64)), [False] * 4 + [True] * 60, [0, 4, 14, 24, 34, 44, 54], 4), 54
        )
    )
    assert made[1].ids == [0, 1, 2, 3, *range(44, 64)]
    assert made[1].labels == [-100] * 14 + list(range(54, 64))
