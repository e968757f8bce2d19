"""Decoding settings, and the replies a model gives with them. Knows models and prompts; nothing of figures."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.dialogue import Message
from training.loaded_model import LoadedModel

# What each is, and the least and the greatest that transformers obeys; 0 switches a number of tokens off.
OPTIONS: dict[str, tuple[type[int] | type[float], float, float]] = {
    "temperature": (float, 0.01, 100),
    "top_p": (float, 0.01, 1),
    "top_k": (int, 0, math.inf),
    "min_p": (float, 0, 1),
    "typical_p": (float, 0.01, 1),
    "repetition_penalty": (float, 0.01, 100),
    "no_repeat_ngram_size": (int, 0, math.inf),
}
BATCH = 20


@dataclass(frozen=True)
class Decoding:
    """How replies are drawn: a name as the user wrote it, and what it sets over the model's own defaults."""

    name: str
    options: dict[str, float | int | bool]


def parse(text: str) -> Decoding:
    """`default` (the model's own), `greedy`, or `temperature=0.7,top_p=0.9,…`. Raises ValueError."""
    if text == "default":
        return Decoding(text, {})
    if text == "greedy":
        return Decoding(text, {"do_sample": False, "repetition_penalty": 1.0})
    options: dict[str, float | int | bool] = {"do_sample": True}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name not in OPTIONS:
            raise ValueError(
                f"decoding {text!r}: {name!r} is none of default, greedy, {', '.join(OPTIONS)} (NAME=VALUE)"
            )
        options[name] = _number(name, value)
    return Decoding(text, options)


def _number(name: str, value: str) -> float | int:
    kind, least, greatest = OPTIONS[name]
    try:
        number = kind(value)
    except ValueError as error:
        raise ValueError(f"decoding {name}={value}: a number is wanted") from error
    if not least <= number <= greatest:
        raise ValueError(f"decoding {name}={value}: from {least} to {greatest}; `greedy` takes the likeliest token")
    return number


def generation_config(loaded: LoadedModel, decoding: Decoding, longest: int) -> Any:
    """The model's generation config with the decoding's options. Raises ValueError where transformers refuses them."""
    config = copy.deepcopy(loaded.model.generation_config)
    tokenizer = loaded.encoder.tokenizer
    config.update(**decoding.options, max_new_tokens=longest)
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
    # A model may have no padding token; what stands there is masked.
    config.pad_token_id = next(i for i in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0) if i is not None)
    if not config.do_sample:
        config.update(temperature=1.0, top_p=1.0, top_k=50)  # as if unset: transformers warns of what it ignores
    config.validate()
    return config


def sampling_options(config: Any) -> dict[str, Any]:
    """What a generation config draws with."""
    return {name: getattr(config, name, None) for name in ("do_sample", *OPTIONS)}


def generate_replies(
    loaded: LoadedModel, prompts: Sequence[Sequence[Message]], config: Any, seed: int, batch: int = BATCH
) -> Iterator[str]:
    """One reply to each prompt; drawn alike for a seed and a batch size."""
    torch.manual_seed(seed)
    room = loaded.encoder.window - config.max_new_tokens
    if room < 1:
        raise ValueError(f"{loaded.name} has a window of {loaded.encoder.window} tokens: ask for shorter replies")
    for first in range(0, len(prompts), batch):
        ids = [loaded.encoder.encode_prompt(prompt, room) for prompt in prompts[first : first + batch]]
        yield from map(loaded.encoder.decode_reply, _generate(loaded.model, ids, config))


def _generate(model: Any, prompts: Sequence[list[int]], config: Any) -> list[list[int]]:
    """New ids for every prompt, in one batch padded on the left."""
    width = max(map(len, prompts))
    pad = config.pad_token_id
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    with torch.inference_mode():
        output = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
    return [row[width:] for row in output.tolist()]
