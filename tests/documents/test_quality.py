"""How often the right passage is among the first three: forty questions in people's words over five old texts."""

from benchmarks.documents import TEXTS
from benchmarks.questions import build_index, hits, passages, ranks, read_questions

FOUND = 30  # of 40 when this was written, by words alone


def test_each_answer_stands_once_in_its_text() -> None:
    texts = {path.name: " ".join(path.read_text(encoding="utf-8").split()) for path in TEXTS.glob("*.txt")}
    asked = read_questions(TEXTS)
    assert len(asked) == 40
    assert [texts[each.file].count(each.phrase) for each in asked] == [1] * 40


def test_the_right_passage_is_found() -> None:
    found = ranks(read_questions(TEXTS), build_index(passages(TEXTS)))
    assert hits(found, 3) >= FOUND - 2
    assert hits(found, 8) >= hits(found, 3) >= hits(found, 1) > 20


def test_a_wrong_passage_is_no_hit() -> None:
    asked = read_questions(TEXTS)
    turned = [each.__class__(each.question, asked[-at].file, asked[-at].phrase) for at, each in enumerate(asked)]
    assert hits(ranks(turned, build_index(passages(TEXTS))), 3) < 10
