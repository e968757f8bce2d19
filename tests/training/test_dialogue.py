"""The views that training takes of a dialogue."""

from training.dialogue import Dialogue, messages, replies, sides


def test_views_of_a_dialogue() -> None:
    human = Dialogue("x", ("hi", "hello", "bye"), (("I sing.",), ("I have a dog.", "I ski.")), two_sided=True)
    assert sides(human) == (1, 0)
    assert messages(human, 1)[0] == {"role": "system", "content": "I have a dog. I ski."}
    assert [m["role"] for m in messages(human, 0)] == ["system", "assistant", "user", "assistant"]
    assert list(replies(human, 1)) == [1]
    assert list(replies(human, 0)) == [2]
    assert messages(Dialogue("x", ("hi", "hello")), 1, "Be kind.")[0]["content"] == "Be kind."
