"""HTML for people: one file that holds everything, and in which nobody's words become a part of it."""

import re
from html.parser import HTMLParser
from typing import Any

from conversations.exchange.html import content_policy, render_html
from conversations.exchange.schema import validate_conversation
from tests.conversations.exchange.made import chain, full, message

HOSTILE = (
    "<script>alert(1)</script> ![x](https://example.org/a.png) <img src=x onerror=alert(1)> "
    "[y](javascript:alert(1)) </div></article></body>\n\n<iframe src='https://example.org'></iframe>"
)
FORMULA, CODE = r"$$\frac{a}{b}$$", "```python\ndef f(x):\n    return x\n```"


class Parts(HTMLParser):
    """The elements of a document, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def said(*messages: dict[str, Any], **fields: Any) -> str:
    return render_html(validate_conversation(chain(0) | {"messages": list(messages)} | fields))


def test_nobodys_words_are_markup_and_nothing_is_fetched() -> None:
    thought = message(1, 0, "assistant", text=HOSTILE, thinking=HOSTILE, error=HOSTILE, model=HOSTILE)
    text = said(message(0, text=HOSTILE), thought, title=HOSTILE, system=HOSTILE)
    parts = Parts(text)
    assert {"script", "iframe", "img", "link", "object", "form"} & {tag for tag, _ in parts.found} == set()
    assert not [name for _, attributes in parts.found for name in attributes if name.startswith("on")]
    assert not [each for _, each in parts.found if each.get("src") or "javascript:" in (each.get("href") or "")]
    assert (len(parts.all("body")), len(parts.all("article")), len(parts.all("title"))) == (1, 2, 1)
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_allows_what_is_in_the_file_and_no_more() -> None:
    table = message(1, 0, "assistant", text="| a | b |\n|:--|--:|\n| 1 | 2 |")
    parts = Parts(said(message(0), table))
    [policy] = [each["content"] for each in parts.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy == content_policy()
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy
    assert {each["style"] for each in parts.all("td")} == {"text-align:left", "text-align:right"}


def test_formulas_code_and_thinking_stand_in_it() -> None:
    reply = message(1, 0, "assistant", text=f"{FORMULA}\n\n{CODE}", thinking="I wonder", thinking_ms=1500.0)
    text = said(message(0), reply)
    assert re.search(r"<math display=\"block\">.*<mfrac>", text)
    assert '<span class="hl-k">def</span>' in text
    assert '<details><summary>Thought for 2 s</summary><div class="typed">I wonder</div></details>' in text


def test_everything_of_a_full_conversation_stands_in_it() -> None:
    text = render_html(validate_conversation(full()))
    for part in ("Ünïcode", "Persona: Ada, keeps bees", "Called read_page", "It is closed."):
        assert part in text


def test_pictures_are_in_the_file() -> None:
    picture = {"name": 'a "cat".png', "mime_type": "image/png", "width": 1, "height": 1, "data": "iVBORw0KGgo="}
    conversation = validate_conversation(chain(0) | {"messages": [message(0)]})
    conversation["messages"][0]["pictures"] = [picture, {**picture, "mime_type": "image/svg+xml"}]
    [image] = Parts(render_html(conversation)).all("img")
    assert image == {"src": "data:image/png;base64,iVBORw0KGgo=", "alt": 'Picture: a "cat".png'}


def test_markers_lead_to_their_passages() -> None:
    document = {
        "name": "notes.txt",
        "kind": "text",
        "bytes": 20,
        "created": 1.0,
        "pages": ["The <b>lamp</b> is green."],
    }
    source = {"document": 0, "begins": 0, "score": 1.0}
    reply = message(1, 0, "assistant", text="It is green [1].", sources=[source])
    text = said(message(0), reply, documents=[document])
    assert "<summary>Sources: notes.txt</summary>" in text
    assert '<div class="typed">The &lt;b&gt;lamp&lt;/b&gt; is green.</div>' in text
    parts = Parts(text)
    [anchor] = [each["href"] for each in parts.all("a")]
    assert anchor == "#source-1-1"
    assert "source-1-1" in {attributes.get("id") for _, attributes in parts.found}
