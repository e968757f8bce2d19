"""What a model thought, where it stands in its text between tags. Knows the tags that models write."""

import re

TAGS = re.compile(r"\s*<(think|thinking|thought|reasoning)>(.*?)</\1>\s*", re.DOTALL)
OPEN = re.compile(r"\s*<(?:think|thinking)>(.*)", re.DOTALL)


def split_thinking(text: str) -> tuple[str, str]:
    """What was thought before a text, and the text; a reply that was cut while it thought has no text."""
    thoughts = []
    while match := TAGS.match(text):
        thoughts.append(match[2].strip())
        text = text[match.end() :]
    if not thoughts and (cut := OPEN.fullmatch(text)):
        return cut[1].strip(), ""
    return "\n\n".join(filter(None, thoughts)), text
