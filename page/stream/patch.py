"""What differs between two states of a reply's blocks, as a browser is told it. Knows text only."""

from typing import Any

from blocks import Blocks


def make_patch(before: Blocks, after: Blocks) -> dict[str, Any]:
    """`keep` blocks stay, of the next one `cut` characters (UTF-16); `add` goes on with it, then come whole blocks."""
    keep = 0
    for old, new in zip(before, after, strict=False):
        if old is not new and old != new:
            break
        keep += 1
    cut, add = 0, list(after[keep:])
    if keep < len(before) and add:
        shared = common_prefix(before[keep], add[0])
        cut, add[0] = utf16_length(add[0][:shared]), add[0][shared:]
    return {"keep": keep, "cut": cut, "add": add}


def common_prefix(first: str, second: str) -> int:
    """The number of characters with which both begin."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def utf16_length(text: str) -> int:
    """The length of a text in JavaScript."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
