"""PDF for people, read back by another program; nobody's words are Typst's."""

import base64
import io
import logging
from typing import Any

import pypdfium2  # type: ignore[import-untyped]
import pytest
from PIL import Image

from conversations.exchange import FORMATS
from conversations.exchange.pdf import render_pdf
from conversations.exchange.schema import validate_conversation
from tests.conversations.exchange.made import chain, full, message

HOSTILE = '#panic("no") $ * _ ` @here <label> \\ // /* #let x = 1 = title #include "/etc/passwd" https://example.org'
BLOCKS = """# Head

- one
  - two

3. three

| a | b |
|--|--|
| 1 | **2** |

> said

```python
x = 1
```

- [x] done

---

~~no~~ [a link](https://example.org)
"""
FORMULAS = r"""
$\frac{a}{b}$ and $\sqrt[3]{x}$, $\hat{x}$, $\overline{ab}$, $\mathbb{R}$, $\binom{n}{k}$, $\underbrace{a}_{n}$

$$\sum_{n=1}^\infty \left(\frac{1}{n^2}\right) = \begin{cases} 1 & x>0 \\ 0 & \text{otherwise} \end{cases}$$

$$\begin{aligned} a &= b \\ &= \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} \end{aligned}$$

$$\left\{ x \right.$$ and $\phantom{x}$ and $\boxed{y}$ and $\unknown{x}$ and $\lim_{x \to 0} \vec{v}$ and $a\,b$
"""


def words(pdf: bytes) -> str:
    """All that is written on the pages, on one line."""
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(" ".join(page.get_textpage().get_text_range().split()) for page in document)


def said(*messages: dict[str, Any], **fields: Any) -> str:
    conversation = validate_conversation(chain(0) | {"messages": list(messages)} | fields)
    return words(render_pdf(conversation))


def test_words_are_words_wherever_they_stand() -> None:
    reply = message(1, 0, "assistant", text=f"`{HOSTILE[1:5]}` say {HOSTILE[:12]}", thinking=HOSTILE, error=HOSTILE)
    text = said(message(0, text=HOSTILE), reply, title=HOSTILE, system=HOSTILE)
    plain = " ".join(HOSTILE.split())
    assert text.replace(" ", "").count(plain.replace(" ", "")) == 5


def test_markdown_is_drawn() -> None:
    reply = message(1, 0, "assistant", text=BLOCKS)
    text = said(message(0), reply)
    for part in ("Head", "one", "two", "3. three", "a b", "1 2", "said", "x = 1", "☑ done", "no a link"):
        assert part in text


def test_formulas_are_drawn_and_those_that_are_none_stand_as_typed(caplog: pytest.LogCaptureFixture) -> None:
    text = said(message(0), message(1, 0, "assistant", text=FORMULAS))
    assert r"\unknown{x}" in text
    assert r"\frac" not in text
    assert r"\sum" not in text
    for part in ("otherwise", "∑", "ℝ"):
        assert part in text
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_pictures_are_drawn() -> None:
    data = io.BytesIO()
    Image.new("RGB", (900, 30), "red").save(data, "PNG")
    coded = base64.b64encode(data.getvalue()).decode()
    conversation = validate_conversation(chain(0) | {"messages": [message(0)]})
    conversation["messages"][0]["pictures"] = [{"name": "red.png", "mime_type": "image/png", "data": coded}]
    with pypdfium2.PdfDocument(render_pdf(conversation)) as document:
        drawn = document[0].render(scale=1).to_pil().convert("RGB")
    assert (255, 0, 0) in set(drawn.get_flattened_data())


def test_everything_of_a_full_conversation_stands_in_it() -> None:
    text = words(b"".join(FORMATS["pdf"].write([validate_conversation(full())])))
    for part in ("Ünïcode", "Persona: Ada, keeps bees", "Called read_page", "It is closed."):
        assert part in text
