"""The chats that an export is tried on: a few that ship here, or a user's own dialogues. Knows no file format."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from prompts import template
from training import sources
from training.dialogue import Dialogue, messages, sides

# Turns of user and assistant in turn. Everyday words, so that any model of English has an opinion on them.
CHATS = (
    ("hi, how are you?", "I'm well, thank you! I spent the morning in the garden. How was your day?",
     "Busy, but good. I finally cleaned the kitchen.", "That always feels nice. Did you find anything you had lost?"),
    ("Do you have any pets?", "Yes, I have an old cat who sleeps on the piano. Do you like animals?",
     "I do. We had two dogs when I was a child.", "What were their names?"),
    ("What is a good thing to cook for four people?", "A big pot of vegetable soup with fresh bread is easy and cheap.",
     "How long does it take?", "About forty minutes. Cut the onions first, then the carrots and the potatoes."),
    ("I have a headache today.", "I'm sorry to hear that. Have you had some water and a little rest?",
     "Not yet, I have been working since eight.", "Then take a short break. The work will still be there."),
    ("Can you tell me something about the moon?", "It is about 384,000 kilometres away and turns once a month.",
     "Why does it change its shape?", "It doesn't: we see more or less of the side that the sun lights up."),
    ("what music do you listen to", "Mostly jazz in the evening, and anything loud when I clean the house.",
     "me too! have you ever played an instrument?", "I tried the guitar for a year, but my fingers were too slow."),
    ("Where would you go on holiday?", "Somewhere by the sea, with a train that goes there.",
     "I prefer the mountains, the air is so clear.", "I see why. Do you walk a lot when you are there?"),
    ("My sister is getting married in June.", "How lovely! Are you helping her with the wedding?",
     "Yes, I have to write a speech and I am nervous.", "Tell one short story about her and say what you wish her."),
)  # fmt: skip
ODD = "It's  3.14,\n\nüber-naïve — “quoted” 東京 🙂?!  don't\tstop"  # what tokenizers disagree on, if on anything
LONGEST = 256  # tokens of one passage
PROMPTS, PASSAGES = 8, 200


@dataclass(frozen=True)
class Samples:
    """Prompts to go on from, passages to be surprised by, and texts to be split, for one tokenizer."""

    prompts: tuple[list[int], ...]
    passages: tuple[list[int], ...]
    texts: tuple[str, ...]


def build_samples(tokenizer: Any, positions: int, steps: int, data: Path | None = None) -> Samples:
    """From the chats here or the dialogues of a JSONL file, cut to the window. Raises OSError, ValueError."""
    items = list(islice(_items(data), PASSAGES))
    rendered = [_rendered(tokenizer, item) for item in items]
    passages = [ids[: min(positions, LONGEST)] for ids in (encode(tokenizer, prompt) for _, prompt in rendered)]
    passages = [ids for ids in passages if len(ids) > 1]
    if not passages:
        raise ValueError(f"{data} holds no dialogue to try the export on")
    room = max(1, min(positions, LONGEST) - steps)
    prompts = [encode(tokenizer, opening)[-room:] for opening, _ in rendered[:PROMPTS]]
    texts = ["".join(piece.text for piece in prompt.segments) for _, prompt in rendered[:PROMPTS]]
    return Samples(tuple(filter(None, prompts)), tuple(passages), (*texts, ODD))


def encode(tokenizer: Any, rendered: template.RenderedPrompt) -> list[int]:
    """Token ids; what a turn spells never becomes a special token."""
    ids: list[int] = []
    for piece in rendered.segments:
        if piece.special:
            ids.append(int(tokenizer.convert_tokens_to_ids(piece.text)))
        else:
            ids += tokenizer.encode(piece.text, add_special_tokens=False, split_special_tokens=True, verbose=False)
    return ids


def _items(data: Path | None) -> Iterable[Dialogue]:
    if data is None:
        return (Dialogue("shipped", turns) for turns in CHATS)
    return (item for item in sources.read("dialogues", data) if isinstance(item, Dialogue))


def _rendered(tokenizer: Any, item: Dialogue) -> tuple[template.RenderedPrompt, template.RenderedPrompt]:
    """How it opens, up to where the assistant speaks, and the whole of it."""
    view = messages(item, sides(item)[0])
    opening = next((i for i, message in enumerate(view) if i and message["role"] == "assistant"), len(view))
    if not tokenizer.chat_template:
        return _plainly(view[:opening]), _plainly(view)
    ends = {"bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token}
    of, specials = str(tokenizer.chat_template), tokenizer.all_special_tokens
    return (
        template.render(of, view[:opening], specials, **ends),
        template.render(of, view, specials, reply=False, **ends),
    )


def _plainly(view: Sequence[template.Message]) -> template.RenderedPrompt:
    return template.render_plain("\n".join(message["content"] for message in view))
