"""HTML as text: words whole, lines where a browser breaks them, nothing that is not shown; bytes as declared."""

import codecs

import pytest

from documents.load import load
from documents.markup import html_text
from documents.settings import DocumentSettings

WORDS = {  # what must stand in the text
    "lighth<span>ouse</span>": "lighthouse",
    "H<sub>2</sub>O": "H2O",
    "<b>l</b>amp <i>o</i>f <a href=x>Ard</a>more": "lamp of Ardmore",
    "light<wbr>house": "lighthouse",
    "light&shy;house": "lighthouse",
    "ligh<!-- no -->thouse": "lighthouse",
    "<font color=red>T</font>he<img src=x> lamp": "The lamp",
    "One <b> two </b> three": "One two three",
    "caf&eacute; &amp; na&#239;ve &lt;b&gt; &#x1F389;": "café & naïve <b> 🎉",
    "12&nbsp;km": "12 km",
    "green<sup><a href=#n>1</a></sup>, red": "green 1 , red",
    "<ruby>灯<rp>(</rp><rt>とう</rt><rp>)</rp>塔<rt>だい</rt></ruby>": "灯塔",
    "<p>unclosed <b>bold<p>next": "unclosed bold",
    "<td>a cell without a table": "a cell without a table",
    "a < b and c > d": "a < b and c > d",
    "<abbr title='no'>WHO</abbr>": "WHO",
    "x<math><msup><mi>y</mi><mn>2</mn></msup></math>": "xy2",
    "<button>Go</button>": "Go",
}
LINES = {
    "<p>One<br>two<br/>three</p>": "One\ntwo\nthree",
    "<div>a</div>b<div>c</div>": "a\nb\nc",
    "<p>x</p>\n\n<p>y\n z</p>": "x\n\ny z",
    "a<br><br><br>b": "a\n\nb",
    "<h1>Head</h1>text<hr>more": "Head\n\ntext\n\nmore",
    "<ul><li>first<li><p>second</p><ul><li>inner</ul></ul>": "- first\n\n- second\n\n- inner",
    "<ol start=3><li>a<li>b</ol><ol><li>c</ol>": "3. a\n4. b\n\n1. c",
    "<dl><dt>t<dd>d</dl>": "t\nd",
    "<pre>def f():\n    return 1\n\nend</pre>": "def f():\n    return 1\n\nend",
    "<textarea>l1\n  l2</textarea>": "l1\n  l2",
    "<select><option>x<option>y</select>": "x\ny",
    "<svg><title>t</title><text>v</text><style>no</style></svg>": "t\nv",
    "<table><caption>C</caption><tr><th>Place<th>Light<tr><td>Ardmore<br>Head<td>green</table>after": (
        "C\nPlace | Light\nArdmore Head | green\n\nafter"
    ),
    "<table><tr><td></td><td>5</td></tr></table>": "5",
    "<table><tr><td>a</td><td></td><td>b</td></tr></table>": "a |  | b",
    "<table><tr><td><table><tr><td>in<td>ner</table><td>nav<p>more</table>": "in | ner\nnav\n\nmore",
    "<table><tr><td><h1>Page</h1><p>One</p><p>Two</p></td></tr></table>": "Page\n\nOne\n\nTwo",
    "<title>Name</title><p>Text</p>": "Name\n\nText",
    "<details><summary>More</summary>said</details>": "More\nsaid",
    "": "",
}
UNREAD = [
    "<script>no</script>", "<style>no</style>", "<template>no</template>", "<noscript>no</noscript>", "<!-- no -->",
    "<p hidden>no</p>", "<p style='color:red; Display : None'>no</p>", "<span style=visibility:hidden>no</span>",
    "<input type=hidden value=no>", "<input type=password value=no>", "<iframe>no</iframe>", "<video>no</video>",
    "<![CDATA[no]]>", "<?php no ?>", "<datalist><option>no</datalist>",
]  # fmt: skip
XHTML = (
    '<?xml version="1.0" encoding="{}"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd">'
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x"/></head><body><a id="x"/>{}'
    "<br/><![CDATA[a < b]]></body></html>"
)
ENCODED = {
    "iso-8859-1": "Café naïve",
    "windows-1252": "“Größe” €5",
    "koi8-r": "Маяк зелёный",
    "shift_jis": "灯台の灯は緑です",
}
ENCODED |= {"gb18030": "灯塔的灯是绿色的", "euc-kr": "등대의 불빛", "iso-8859-2": "Źródło światła", "big5": "燈塔的燈"}


@pytest.mark.parametrize("markup", WORDS)
def test_no_inline_element_cuts_a_word(markup: str) -> None:
    assert WORDS[markup] in html_text(f"<body><p>{markup}")


@pytest.mark.parametrize("markup", LINES)
def test_lines_break_where_a_browser_breaks_them(markup: str) -> None:
    assert html_text(markup) == LINES[markup]


@pytest.mark.parametrize("markup", UNREAD)
def test_what_is_not_shown_is_not_read(markup: str) -> None:
    assert html_text(f"<p>yes</p>{markup}<p>more</p>") == "yes\n\nmore"


def test_what_pictures_and_fields_show_is_read() -> None:
    assert html_text("<img alt='A lamp'><input value=Marta><input type=image alt=Go>") == "A lamp Marta Go"


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize(
    "page",
    [
        "<!-- <meta charset=utf-8> --><meta charset={}><p>{}",
        "<META http-equiv='Content-Type' content='text/html; charset={}'><p>{}",
        XHTML,
    ],
)
def test_the_declared_encoding_is_used(page: str, encoding: str) -> None:
    text = load("a.html", page.format(encoding, ENCODED[encoding]).encode(encoding), DocumentSettings()).parts[0].text
    assert text.split("\n")[0] == ENCODED[encoding]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_a_mark_goes_before_what_is_declared(encoding: str) -> None:
    data = "<meta charset=koi8-r><p>灯 Größe".encode(encoding)
    if encoding == "utf-8":
        data = codecs.BOM_UTF8 + data
    assert load("a.htm", data, DocumentSettings()).parts[0].text == "灯 Größe"


@pytest.mark.parametrize("tag", ["div", "b", "table", "table><tr><td", "ul><li", "sup", "svg", "pre", "font", "select"])
def test_deep_and_broken_markup_is_read(tag: str) -> None:
    assert "deep" in html_text(f"<{tag}>" * 3000 + "deep")


def test_a_large_page_is_read() -> None:
    text = html_text("<table>" + "<tr><td>cell <b>o</b>ne<td>two</tr>" * 30_000 + "</table>")
    assert text.count("cell one | two\n") == 29_999
