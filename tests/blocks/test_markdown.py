"""A reply as HTML: what Markdown means is there, and whatever is written runs nothing and fetches nothing."""

from html.parser import HTMLParser

import pytest

from blocks import render_blocks

TAGS = {
    "p", "br", "h1", "h2", "ul", "ol", "li", "blockquote", "hr", "pre", "code", "span", "div", "a", "em", "strong", "s",
    "input",
    "table", "thead", "tbody", "tr", "th", "td", "button", "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac",
    "msqrt", "mroot", "mstyle", "mpadded", "msub", "msup", "msubsup", "munder", "mover", "mtable", "mtr", "mtd",
}  # fmt: skip
HARMLESS = {
    "class",
    "href",
    "target",
    "rel",
    "tabindex",
    "start",
    "type",
    "title",
    "aria-label",
    "style",
    "disabled",
    "checked",
}


class Elements(HTMLParser):
    """Every element of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in {"br", "hr", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"br", "hr"}:
            assert self.open.pop() == tag


def html_of(text: str) -> str:
    return "".join(render_blocks(text))


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "text <b onclick=alert(1)>b</b> <!-- --><style>*{}</style>",
    "![x](http://other.example/leak.png)",
    "[![x](http://other.example/a.png)](http://other.example/)",
    "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](data:text/html,x) [d](vbscript:x) [e](file:///etc/passwd)",
    "[a]( java\nscript:alert(1)) [b](&#106;avascript:alert(1)) <javascript:alert(1)>",
    '[a](http://e.example/"onmouseover="alert(1)) [b](http://e.example "t\\" onclick=alert(1)")',
    "[a]: javascript:alert(1)\n\n[a]",
    '```"><script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```',
    "```python\n'</span><img src=x onerror=alert(1)>'\n```",
    "`</code><script>alert(1)</script>`",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$$\href{javascript:alert(1)}{x} \style{background:url(http://e.example)}{x} \class{a}{b}$$",
    r"$\color{red\" onload=alert(1)}{x} \unicode{<script>}$",
    r"$\frac{<script>alert(1)</script>}{$ &lt;script&gt; &#60;script&#62;",
    "| <img src=x onerror=alert(1)> | $<b>$ |\n|---|---|\n| [a](javascript:x) | `<i>` |",
    'http://e.example/<script>alert(1)</script> www.e.example/"onclick=x',
    "\x00<\x00script>alert(1)</script>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_written_becomes_an_element_or_an_attribute_of_its_own(text: str) -> None:
    elements = Elements(html_of(text))
    assert not elements.open
    for tag, given in elements.found:
        assert tag in TAGS, text
        if tag not in {"math"} and not tag.startswith("m"):
            assert set(given) <= HARMLESS, text
        assert not [name for name in given if name.startswith("on")]
        assert "style" not in given or str(given["style"]).startswith("text-align:")
        if tag == "a":
            assert str(given["href"]).startswith(("http://", "https://", "mailto:", "#"))
            assert str(given["href"]).startswith("#") or given["rel"] == "noopener noreferrer"
        assert "src" not in given


def test_the_usual_marks_are_drawn() -> None:
    html = html_of("# Head\n\na *b* **c** ~~d~~ `e`\nf\n\n1. x\n2. y\n\n> q\n\n| a | b |\n|---|---:|\n| 1 | 2 |\n\n---")
    for piece in (
        "<h1>Head</h1>", "<em>b</em>", "<strong>c</strong>", "<s>d</s>", "<code>e</code><br />", "<ol>\n<li>x</li>",
        "<blockquote>\n<p>q</p>", "<td>1</td>", '<td style="text-align:right">2</td>', "<hr />",
    ):  # fmt: skip
        assert piece in html


def test_code_has_colours_and_its_words() -> None:
    html = html_of("```python\ndef f(): return 1\n```\n\n```nonsense\na < b\n```\n\n    indented")
    assert '<span class="hl-k">def</span>' in html
    assert "a &lt; b\n</code></pre>" in html
    assert "<code>indented\n</code></pre>" in html
    assert html.count('aria-label="Copy code"') == 3


def test_addresses_are_links_and_a_passage_is_one_of_this_page() -> None:
    html = html_of("See https://a.example/x, www.b.example and [[1]](#source-4-1) or <me@c.example>. [x](#other)")
    for piece in ('href="https://a.example/x"', 'href="http://www.b.example"', 'href="mailto:me@c.example"'):
        assert piece in html
    assert '<a href="#source-4-1">[1]</a>' in html
    assert '<a href="#other">x</a>' in html


def test_what_only_streamlit_knows_stays_text() -> None:
    html = html_of("red :red[one] :material/star: :smile: at 10:30:45\n\na -> b >= c\n\n:::note\nfive\n:::")
    assert "red :red[one] :material/star: :smile: at 10:30:45" in html
    assert "a -&gt; b &gt;= c" in html
    assert ":::note<br />\nfive<br />\n:::" in html
    assert "\u2060" not in html


def test_tasks_of_a_list_have_boxes_that_nobody_can_tick() -> None:
    html = html_of("- [ ] one\n- [x] **two**\n- [X] three\n- [y] no\n- [ ](http://x.y)\n\n[ ] no")
    assert html.count('<input type="checkbox" disabled aria-label="To do"> one') == 1
    assert html.count('<input type="checkbox" disabled checked aria-label="Done"> ') == 2
    assert html.count("<input") == html.count('<li class="task">') == 3
