"""PersonaChat as `personachat_self_original.json`: small talk between people who were each given a persona.

Both views of a conversation stand in the file, each with its 20 candidates a reply. Knows no training.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.dialogue import Dialogue
from training.sources._arrays import Element, elements
from training.sources._download import cached
from training.sources._files import matching_files, require_items
from training.sources._spacing import restore_spacing

LICENCE = "none stated with the file; PersonaChat came out with ParlAI (cite Zhang et al., 2018)"
URL = "https://s3.amazonaws.com/datasets.huggingface.co/personachat/personachat_self_original.json"
# Stands for the partner where the one with the persona speaks first.
SILENCE = "__ SILENCE __"


def read(raw: Path | None) -> Iterator[Dialogue]:
    """All but the `valid` part, on which models are judged. Raises ValueError naming file and place, OSError."""
    paths = matching_files("personachat", raw or cached("personachat", URL), (".json",))
    every = (element for path in paths for element in elements(path) if element.array != "valid")
    yield from require_items("personachat", map(_dialogue, every), raw)


def held_out(raw: Path) -> Iterator[Dialogue]:
    """The `valid` part alone, which nobody should train on who reports figures of it. Raises as `read` does."""
    parts = (_dialogue(element) for element in elements(raw) if element.array == "valid")
    yield from require_items("personachat, valid part", parts, raw)


def _dialogue(element: Element) -> Dialogue:
    try:
        return _view(element.value["personality"], element.value["utterances"])
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{element.where}: not a PersonaChat dialogue ({error!r})") from error


def _view(personality: list[str], utterances: list[dict[str, Any]]) -> Dialogue:
    """The last history with the last reply is the whole conversation; each history's length is its reply's place."""
    utterance_texts = [*utterances[-1]["history"], utterances[-1]["candidates"][-1]]
    others = {len(u["history"]): tuple(map(restore_spacing, u["candidates"][:-1])) for u in utterances}
    if not all(place % 2 for place in others):
        raise ValueError("a reply follows an even number of turns")
    # An opening answers nothing: silence and opening go, so that the user speaks first here too.
    start = 2 if utterance_texts[0] == SILENCE else 0
    return Dialogue(
        "personachat",
        tuple(map(restore_spacing, utterance_texts[start:])),
        ((), tuple(map(restore_spacing, personality))),
        # The partner's view lacks the opening or begins with it: the turns behind it are in both.
        conversation="\n".join(utterance_texts[start or 1 :][:3]) if len(utterance_texts) > 3 else "",
        candidates=tuple(others.get(place, ()) for place in range(start, len(utterance_texts))),
    )
