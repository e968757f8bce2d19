"""JSON Schemas of objects that may have other properties, so that no other one is a named property by another spelling.

JSON may write a letter of a name as an escape, and one name twice: every parser takes `"pric\\u0065"` for `price`, and
of two values the last. llguidance compares names as they are written, so a reply could undo what it was held to. A name
that a pattern describes has one spelling there; so all others get a pattern: every text that is none of the named ones.
Knows JSON Schema; nothing of tokens.
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from backends.local.response_format import JOINED, schemas

ANY = r"[\s\S]"
LONGEST = 200  # letters of a name: patterns are within one another as deep as it is long


def with_spelled_names(schema: Any) -> Any:
    """The same schema; in its objects with some named and any other properties the others' names have a pattern.

    Objects that several schemas describe together, or that have patterns of their own, stay as they are: llguidance
    takes patterns alone of which no two fit one name.
    """
    spelled = copy.deepcopy(schema)
    for _, inner in schemas(spelled):
        if isinstance(inner, dict) and _is_open(inner) and not inner.keys() & (JOINED | {"patternProperties"}):
            inner["patternProperties"] = {
                f"^{other_names(inner['properties'])}$": inner.get("additionalProperties", {})
            }
            inner["additionalProperties"] = False
    return spelled


def uncounted(schema: Any) -> Iterator[str]:
    """The places of each `minProperties` that one name, written several times, could reach.

    What has to be there is counted, and one name besides.
    """
    for place, inner in schemas(schema):
        least, needed = inner.get("minProperties"), inner.get("required")
        known = len(needed) if isinstance(needed, list) else 0
        is_closed = inner.get("additionalProperties") is False and not inner.get("patternProperties")
        if isinstance(least, int) and least > known + 1 and not is_closed:
            yield f"{place}/minProperties"


def other_names(names: Collection[str]) -> str:
    """A pattern of every text that is none of these names: without looking ahead, which its kind of patterns cannot.

    1. By the first letter that a name has there: that letter, and behind it what is none of the rests of those names.
    2. Or a letter that no name has there, and anything behind it.
    3. Or nothing more, unless a name ends there.
    """
    firsts = sorted({name[0] for name in names if name})
    ways = [_quoted(first) + other_names([name[1:] for name in names if name[:1] == first]) for first in firsts]
    ways.append(f"[^{''.join(map(_quoted, firsts))}]{ANY}*" if firsts else f"{ANY}+")
    return f"(?:{'|'.join(ways)}){'' if '' in names else '?'}"


def _is_open(schema: Mapping[str, Any]) -> bool:
    named = schema.get("properties")
    if not isinstance(named, Mapping) or not named or schema.get("additionalProperties") is False:
        return False
    return max(map(len, named)) <= LONGEST


def _quoted(letter: str) -> str:
    return letter if letter.isascii() and letter.isalnum() else f"\\u{{{ord(letter):x}}}"
