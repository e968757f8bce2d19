"""Widgets bound to values that are kept elsewhere: each shows its value, and a callback hands on what a person chose.

Browser and script both hold what a widget has, and each is at times behind the other. A value imposed on a widget
undoes a choice that is still on its way, and a widget that was just replaced is reported once more as it was. So
nothing is imposed: a widget that has to show another value is another widget, with a key of its own, and a report
counts only where it differs from what the widget of this key had.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

REMEMBERED = 20  # widgets of one name that a browser which is behind may still report


@dataclass
class _Binding:
    """`values` is what each widget has, by its key, the newest last."""

    values: dict[str, Any] = field(default_factory=dict)
    count: int = 0


def bind(name: str, value: Any) -> str:
    """The key of the widget that shows this value: `name`, or another where a widget with another value had it."""
    binding = _bindings().setdefault(name, _Binding())
    key = next(reversed(binding.values), None)
    if key is None or binding.values[key] != value:
        key = f"{name}~{binding.count}" if binding.count else name
        binding.values[key] = value
        binding.count += 1
        if len(binding.values) > REMEMBERED:
            del binding.values[next(iter(binding.values))]
    return key


def is_replaced(name: str, value: Any) -> bool:
    """Whether a widget has to make room for one with this value; to be asked before `bind`."""
    binding = _bindings().get(name)
    return binding is not None and binding.values[next(reversed(binding.values))] != value


def draw_select(
    label: str,
    options: Sequence[Any],
    value: Any,
    describe: Callable[[Any], str],
    name: str,
    act: Callable[[Any], None],
) -> None:
    """Draw a box in which one option is chosen, which `describe` words, and hand another choice on."""
    key = bind(name, value)
    st.selectbox(
        label,
        options,
        options.index(value),
        format_func=describe,
        key=key,
        on_change=accept_change,
        args=(name, key, act),
    )


def accept_change(name: str, key: str, act: Callable[[Any], None]) -> None:
    """Hand a chosen value on; the callback of a bound widget."""
    values, value = _bindings()[name].values, st.session_state[key]
    if key in values and values[key] != value:
        values[key] = value
        act(value)


def _bindings() -> dict[str, _Binding]:
    bindings: dict[str, _Binding] = st.session_state.setdefault("bindings", {})
    return bindings
