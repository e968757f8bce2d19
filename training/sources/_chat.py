"""Dialogues as others write them: `messages` (role, content) and ShareGPT's `conversations` (from, value).

Neighbours of one speaker are one turn, and a system prompt is the assistant's persona. Knows no file.
"""

from collections.abc import Mapping
from typing import Any

from training.dialogue import Dialogue

SPEAKERS = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "bot", "bard", "bing", "claude"), "assistant"),
}
LISTS = ("messages", "conversations", "conversation")
KEYS = (("role", "content"), ("from", "value"), ("role", "value"), ("from", "content"))


def chat_dialogue(row: Mapping[str, Any], source: str) -> Dialogue:
    """A dialogue of a row that has one of LISTS. Raises ValueError saying what of it is no dialogue."""
    name = next(each for each in LISTS if each in row)
    said = row[name]
    if not isinstance(said, list) or not said:
        raise ValueError(f"{name} should be a list with messages ({_preview(said)})")
    system, turns = [_text(row["system"], "system")] if row.get("system") else [], list[tuple[str, str]]()
    for number, message in enumerate(said, 1):
        speaker, text = _message(message, f"{name}, message {number}")
        if speaker == "system":
            system.append(text)
        elif turns and turns[-1][0] == speaker:
            turns[-1] = speaker, f"{turns[-1][1]}\n\n{text}"
        else:
            turns.append((speaker, text))
    if not turns:
        raise ValueError(f"{name} has nothing but a system prompt")
    assistant = 0 if turns[0][0] == "assistant" else 1
    persona = tuple(text for text in system if text)
    personas = ((persona, ()) if assistant == 0 else ((), persona)) if persona else ()
    return Dialogue(source, tuple(text for _, text in turns), personas, assistant=assistant)


def _message(message: Any, where: str) -> tuple[str, str]:
    """Who says what. Raises ValueError."""
    if not isinstance(message, dict):
        raise ValueError(f"{where}: should be an object ({_preview(message)})")
    keys = next((pair for pair in KEYS if all(key in message for key in pair)), None)
    if keys is None:
        raise ValueError(f"{where}: has neither role and content nor from and value, but {_names(message)}")
    speaker = SPEAKERS.get(str(message[keys[0]]).lower())
    if speaker is None:
        allowed = ", ".join(SPEAKERS)
        raise ValueError(f"{where}: {keys[0]} is {_preview(message[keys[0]])}; known are {allowed}")
    return speaker, _text(message[keys[1]], f"{where}: {keys[1]}")


def _text(value: Any, where: str) -> str:
    """A text, or the texts of a list of parts. Raises ValueError."""
    parts = value if isinstance(value, list) and value else [value]
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        raise ValueError(f"{where} should be a text ({_preview(value)})")
    text = "\n".join(texts)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where} has half of a surrogate pair, which is no text") from None
    return text.strip()


def _names(row: Mapping[str, Any]) -> str:
    """The names of an object's fields, as they may stand in a line."""
    return ", ".join(ascii(name) for name in list(row)[:6]) or "nothing"


def _preview(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "null" if value is None else ascii(value)[:60]
