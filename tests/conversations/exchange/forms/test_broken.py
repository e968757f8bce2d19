"""Whatever stands where something else should: it is kept, or left out with a cause, and never ends the import."""

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conversations.exchange import ExchangeError, ParsedFile, export_conversation, import_all, parse, render_markdown
from tests.conversations.exchange.forms.test_forms import ALL, data_of
from tests.conversations.exchange.test_foreign import VALUES
from tests.conversations.talk import mine


def load(name: str) -> list[Any]:
    """A fixture as its values: of lines each one."""
    text = data_of(name).decode()
    return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else [json.loads(text)]


FILES = {name: load(name) for name in ALL}


def read(data: bytes) -> tuple[ParsedFile | None, str]:
    """What is in a file, or why it is refused."""
    try:
        return parse(data, "x"), ""
    except ExchangeError as error:
        return None, str(error)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value inside another."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, each in inner for place in places(each, (*path, name)))]


@st.composite
def broken(draw: st.DrawFn) -> str:
    """A file of somebody's, in which one to three values are others."""
    name = draw(st.sampled_from(ALL))
    values = copy.deepcopy(FILES[name])
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(values)[1:]))
        inner = values
        for step in way:
            inner = inner[step]
        inner[last] = draw(VALUES)
    return "\n".join(map(json.dumps, values))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(broken())
def test_a_value_of_another_type_ends_no_import(text: str) -> None:
    found, why = read(text.encode())
    assert why.isprintable()
    if found is None:
        return
    assert all(line.isprintable() for line in (*found.left_out, *found.notes))
    store = mine()
    report = import_all(store, found, found.personas)
    assert len(report.added) + len(report.skipped) == len(found)
    for identity in report.added:
        page = MarkdownIt("commonmark").render(render_markdown(export_conversation(store, identity)))
        assert "<script" not in page, "it stands in a block of code alone"
