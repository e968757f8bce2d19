"""Other programs' characters and assistants as personas of ours: a name, a line, and sentences. Knows no form."""

from collections.abc import Iterable

from conversations.exchange.form import Source
from conversations.store.personas import MAX_CHARACTERS
from conversations.store.text import clean
from prompts.persona import Persona, slugify


def make_persona(source: Source, name: str, description: str, texts: Iterable[str]) -> Persona | None:
    """Note a persona among those of the file; None where it says nothing. Too long a one is cut, which is noted."""
    title = _line(name)
    sentences, left = list[str](), MAX_CHARACTERS
    lines = [line for text in texts for each in clean(text).splitlines() if (line := _line(each))]
    for line in lines:
        if len(line) > left:
            source.lose(f"lines of {title or 'a character'} beyond {MAX_CHARACTERS:,} characters")
            continue
        sentences.append(line)
        left -= len(line)
    if not title or not sentences:
        return None
    persona = Persona(slugify(title), title, _line(description)[:200].strip() or sentences[0], tuple(sentences))
    source.personas.append(persona)
    return persona


def _line(text: str) -> str:
    return " ".join(clean(text).split())
