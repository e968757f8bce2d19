"""Texts cut to whole sentences."""

import pytest

from api.sms.sentence import shorten

CASES = [
    ("short", 20, "short"),
    ("  spaces around  ", 20, "spaces around"),
    ("One. Two. Three.", 16, "One. Two. Three."),
    ("One. Two. Three.", 15, "One. Two."),
    ("One. Two. Three.", 9, "One. Two."),
    ("One. Two. Three.", 8, "One."),
    ("i am fine . i like cats . do you ?", 26, "i am fine . i like cats ."),
    ("Really?! Yes, really, that is so.", 20, "Really?!"),
    ("Pi is 3.14159 and e is 2.71828 about.", 20, "Pi is 3.14159 and e…"),
    ("It costs 3.50 euros. Cheap, and good.", 30, "It costs 3.50 euros."),
    ("See example.org for more about all of it.", 20, "See example.org for…"),
    ('She said "No." Then she left the house.', 20, 'She said "No."'),
    ("She said (softly). Then she left it.", 20, "She said (softly)."),
    ("«Oui.» Il part demain matin.", 12, "«Oui.»"),
    ("Well… I do not know. Perhaps.", 25, "Well… I do not know."),
    ("Fine. Well… perhaps not today.", 15, "Fine."),
    ("Fine. Well... perhaps not today.", 15, "Fine."),
    ("Wait… What is it that you mean?", 15, "Wait…"),
    ("To do:\n1. Buy milk and bread today.\n2. Sleep.", 20, "To do:\n1. Buy milk…"),
    ("no end in sight and on it goes", 18, "no end in sight…"),
    ("no end in sight and on it goes", 16, "no end in sight…"),
    ("one, two, three, four, five", 11, "one, two…"),
    ("abcdefghijklmnopqrstuvwxyz", 10, "abcdefghi…"),
    ("你好。我很好！你呢？今天天气不错", 10, "你好。我很好！你呢？"),
    ("你好。我很好！你呢？今天天气不错", 9, "你好。我很好！"),
    ("「はい。」と言いました。そして帰りました。", 8, "「はい。」"),
    ("今天天气很不错我们去公园走走吧", 8, "今天天气很不错…"),
    ("मैं ठीक हूँ। आप कैसे हैं आज?", 15, "मैं ठीक हूँ।"),
    ("Nice to meet you! 😀😀😀 What do you do?", 22, "Nice to meet you!"),
    ("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 10, "👩‍👩‍👧‍👦…"),
    ("ab👍🏽cd👍🏽", 4, "ab…"),
    ("🇩🇪🇫🇷🇮🇹", 4, "🇩🇪…"),
    ("e\u0301e\u0301e\u0301e\u0301", 4, "e\u0301…"),
]


@pytest.mark.parametrize(("text", "longest", "wanted"), CASES)
def test_it_is_cut_where_a_reader_would(text: str, longest: int, wanted: str) -> None:
    found = shorten(text, longest)
    assert found == wanted
    assert len(found) <= longest


@pytest.mark.parametrize("text", [text for text, _, _ in CASES])
def test_it_is_never_longer_than_asked(text: str) -> None:
    for longest in range(2, len(text) + 2):
        assert 0 < len(shorten(text, longest)) <= longest


def test_a_long_text_costs_no_time() -> None:
    assert shorten("." * 100_000 + "a", 70).endswith("…")
    assert len(shorten("\U0001f1e6" * 100_000, 70)) <= 70
