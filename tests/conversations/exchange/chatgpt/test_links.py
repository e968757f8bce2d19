"""Marks of citations become links, or go."""

from typing import Any

import pytest

from conversations.exchange import parse
from conversations.exchange.chatgpt.links import link_citations
from tests.conversations.exchange.made import chatgpt

FILE = "\ue200filecite\ue202turn0file0\ue202L1-L5\ue201"
CITE = "\ue200cite\ue202turn0search0\ue201"
LINK = "([Lamps](https://a.example/lamps))"
PAGE = {"title": "Lamps", "url": "https://a.example/lamps"}


def reference(matched: str = CITE, **fields: Any) -> dict[str, Any]:
    return {"content_references": [{"matched_text": matched, **fields}]}


@pytest.mark.parametrize(
    ("text", "metadata", "linked"),
    [
        (f"It is red {CITE}.", reference(items=[PAGE]), "It is red ([Lamps](https://a.example/lamps))."),
        (f"It is red {CITE}.", reference(type="webpage", **PAGE), "It is red ([Lamps](https://a.example/lamps))."),
        (
            f"a{CITE}b{CITE}",
            reference(items=[PAGE]),
            "a([Lamps](https://a.example/lamps))b([Lamps](https://a.example/lamps))",
        ),
        (
            CITE,
            reference(items=[{**PAGE, "supporting_websites": [{"title": "B", "url": "https://b.example"}]}]),
            "([Lamps](https://a.example/lamps), [B](https://b.example))",
        ),
        (CITE, reference(items=[], fallback_items=[PAGE]), "([Lamps](https://a.example/lamps))"),
        (CITE, reference(items=[{"url": "https://a.example/x"}]), "([a.example](https://a.example/x))"),
        (f"It is red{CITE}.", {}, "It is red."),
        ("\ue200cite\ue202turn0search0\ue202turn1news2\ue201end", {}, "end"),
        (f"see {FILE}", reference(FILE, type="file", name="a.pdf"), "see (a.pdf)"),
        ('\ue200entity\ue202["people","Ada Lovelace","writer"]\ue201 wrote', {}, "Ada Lovelace wrote"),
        ("\ue200url\ue202the shop\ue202https://s.example/a b\ue201", {}, "[the shop](https://s.example/a%20b)"),
        ("\ue200url\ue202click\ue202javascript:alert(1)\ue201", {}, "click"),
        ("\ue200navlist\ue202More\ue202turn0news1,turn0news2\ue201", {}, "More"),
        ("\ue200video\ue202A film\ue202turn0video0\ue201", {}, "A film"),
        ('a\ue200image_group\ue202{"query":["lamp"]}\ue201b', {}, "ab"),
        ("\ue200forecast\ue202turn0forecast0\ue201b", {}, "b"),
        (CITE, {"content_references": [{"start_idx": 0, "end_idx": len(CITE), "items": [PAGE]}]}, LINK),
        ('cut \ue200entity\ue202["people","Ada', {}, "cut "),
        ("cut \ue200cite\ue202turn0sea", {}, "cut "),
        ("\ue203shown\ue204\ue206 well", {}, "shown well"),
        (CITE, reference(items=[{"title": "x", "url": "javascript:alert(1)"}]), ""),
        (
            CITE,
            reference(items=[{"title": "a](b) <i>", "url": "https://a.example/(x)"}]),
            r"([a\](b) \<i\>](https://a.example/%28x%29))",
        ),
        (CITE, {"content_references": "wrong"}, ""),
        (CITE, {"content_references": [None, 7, {"matched_text": 5}]}, ""),
    ],
)
def test_marks(text: str, metadata: dict[str, Any], linked: str) -> None:
    assert link_citations(text, metadata)[0] == linked


def test_older_marks_where_their_citations_say() -> None:
    text = "Red【4†source】 and old【5†source】."
    page = {"start_ix": 3, "end_ix": 13, "metadata": {"type": "webpage", **PAGE}}
    elsewhere = {"start_ix": 0, "end_ix": 2, "metadata": {"title": "B", "url": "https://b.example"}}
    linked, references = link_citations(text, {"citations": [page, elsewhere, {"start_ix": "x"}, None]})
    assert linked == "Red([Lamps](https://a.example/lamps)) and old【5†source】."
    assert [each["title"] for each in references] == ["Lamps", "B"]


def test_what_is_cited_is_beside_the_reply_and_a_person_keeps_his_letters() -> None:
    said = {"author": {"role": "assistant"}, "content": f"Red {CITE}", "metadata": reference(items=[PAGE])}
    typed = {"author": {"role": "user"}, "content": f"What is {CITE}?"}
    mapping = {"a": {"message": typed, "parent": None}, "b": {"message": said, "parent": "a"}}
    question, reply = parse(chatgpt(mapping), "x")[0]["messages"]
    assert question["text"] == f"What is {CITE}?"
    assert reply["extra"]["references"] == [PAGE]
    assert reply["extra"]["content_references"][0]["items"] == [PAGE]
