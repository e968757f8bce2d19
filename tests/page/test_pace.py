"""Many growing replies are looked at less often, and few as often as ever."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from page import pace


@pytest.fixture(autouse=True)
def _nobody_else() -> Iterator[None]:
    pace._looked.clear()
    yield
    pace._looked.clear()


def script() -> None:
    """A page that follows one thing."""
    import streamlit as st

    from page import pace

    st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1
    pace.often(lambda name: st.text(f"{name} {pace.tick():.3f}"), "mine")("mine")


def test_few_are_looked_at_every_tick_and_many_as_often_as_a_core_can() -> None:
    for number in range(200):
        pace._note(number)
        assert pace.tick() == pytest.approx(max(pace.TICK, pace.EACH * (number + 1)))
    pace._note(199)
    assert len(pace._looked) == 200  # who looks again is no new one


def test_who_no_longer_looks_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        pace._note(number)
    monkeypatch.setattr(pace, "GONE", -1.0)
    monkeypatch.setattr(pace, "EACH", -1.0)
    pace._note("last")
    assert list(pace._looked) == ["last"]


def test_a_page_that_looks_too_often_is_drawn_anew() -> None:
    page = AppTest.from_function(script).run()
    assert page.session_state["drawn"] == 1
    assert page.text[0].value == f"mine {pace.TICK:.3f}"
    for number in range(50):
        pace._note(number)
    page.run()
    assert page.text[0].value == f"mine {51 * pace.EACH:.3f}"
