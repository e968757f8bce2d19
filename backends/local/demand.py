"""What a call asks of its reply beside text: tools that it may call, and a form that it is held to.

Knows the options that ask for it; nothing of how either is done.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from backends.local.grammar import Matcher
from backends.local.response_format import OPTIONS as FORMAT_OPTIONS
from backends.local.tools.offer import OPTIONS as TOOL_OPTIONS
from backends.local.tools.offer import Offer
from backends.local.tools.reading import CallReader


class Demand(NamedTuple):
    """The tools in the prompt, what holds the reply to its form, what reads its calls, and the texts that mark them.

    `not_held` says what of the tools' schemas is left to the model.
    """

    offer: Offer | None = None
    matcher: Matcher | None = None
    reader: CallReader | None = None
    markers: Mapping[int, bytes] = MappingProxyType({})
    not_held: str | None = None


NOTHING = Demand()


def asks_form(options: Mapping[str, Any]) -> bool:
    """Whether a call asks for a reply of a form, or offers tools: a grammar is made for it."""
    return any(options.get(name) is not None for name in (*FORMAT_OPTIONS, *TOOL_OPTIONS))
