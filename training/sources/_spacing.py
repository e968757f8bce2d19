"""Natural spacing again in text that was cut into tokens: "hi , how are you ?" -> "hi, how are you?".

Knows English punctuation and WikiText's joiners; letters stay as they are.
"""

import re

JOINED = re.compile(r" @([-,.])@ ")
QUOTED = re.compile(r'" ([^"]*?) "')
AFTER = re.compile(r" +([,.;:!?%)\]}]+)(?=[\s\"')\]]|[,.;:!?]|$)")
BEFORE = re.compile(r"([(\[{$£€]) +")
SHORT = re.compile(r" +(n't|'(?:s|re|ve|ll|d|m))\b")


def restore_spacing(text: str) -> str:
    """The text with no space before closing or after opening punctuation, and single spaces elsewhere."""
    text = JOINED.sub(r"\1", text)
    text = QUOTED.sub(r'"\1"', text)
    text = SHORT.sub(r"\1", AFTER.sub(r"\1", text))
    return " ".join(BEFORE.sub(r"\1", text).split())
