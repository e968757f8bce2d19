"""A trained folder in memory: a language model, one with a choice head, or a LoRA adapter with its base.

Knows Hugging Face's folders; nothing of what is written from them.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    GPT2Config,
    GPT2DoubleHeadsModel,
    GPT2LMHeadModel,
)
from transformers.utils import logging

from training.formats import Logits, Trained, adapter
from training.formats.base import read_base

CHOICE_HEAD = "multiple_choice_head"
LARGEST_HALF = torch.finfo(torch.float16).max


def load(folder: Path, base_name: str = "") -> Trained:
    """The model that a folder holds, complete and finite; an adapter's base is called `base_name` in what is written.

    Raises OSError, ValueError: one line naming the folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: name one written by training.train")
    try:
        with silence_transformers():
            trained = _loaded(folder, base_name)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ValueError(f"{folder}: {first_line(error)}") from error
    _check_finite(trained.model, folder)
    return trained


def round_to_fp16(model: Any) -> Any:
    """A copy whose weights are fp16's values, in fp32. Raises ValueError naming a tensor that fp16 cannot hold."""
    for name, weight in model.named_parameters():
        if (largest := float(weight.detach().abs().max())) > LARGEST_HALF:
            raise ValueError(f"{name} reaches {largest:.4g}, beyond fp16's {LARGEST_HALF:.0f}: export fp32 instead")
    return copy.deepcopy(model).half().float()


def tokenize(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text that may spell special tokens and be longer than the window."""
    return list(tokenizer.encode(text, add_special_tokens=False, verbose=False))


class TorchReader:
    """A model under transformers, as a Reader."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.template: str | None = tokenizer.chat_template

    def tokens(self, text: str) -> list[int]:
        """Ids of a text that may spell special tokens."""
        return tokenize(self.tokenizer, text)

    def logits(self, ids: Sequence[int], prefix_length: int) -> Logits:
        """(len(ids), vocabulary): the first `prefix_length` ids at once, the others one at a time over the past."""
        past, parts, seen = None, [], 0
        for piece in [list(ids[:prefix_length]), *([token] for token in ids[prefix_length:])]:
            seen += len(piece)
            answer = self._after(piece, past, seen)
            past = answer.past_key_values
            parts.append(answer.logits[0].float())
        joined: Logits = torch.cat(parts).numpy()
        return joined

    def greedy(self, ids: Sequence[int], steps: int) -> list[int]:
        """`ids` and the `steps` likeliest tokens after them, ends of turns included."""
        sequence, past, fed = list(ids), None, list(ids)
        for _ in range(steps):
            answer = self._after(fed, past, len(sequence))
            past, fed = answer.past_key_values, [int(answer.logits[0, -1].argmax())]
            sequence += fed
        return sequence

    @torch.inference_mode()
    def _after(self, piece: list[int], past: Any, seen: int) -> Any:
        ones = torch.ones(1, seen, dtype=torch.long)
        return self.model(torch.tensor([piece]), past_key_values=past, attention_mask=ones, use_cache=True)


def _loaded(folder: Path, base_name: str) -> Trained:
    home = adapter.base_model(folder) if adapter.is_adapter(folder) else str(folder)
    choosing = CHOICE_HEAD in adapter.saved_modules(folder)
    owner = str(folder) if _has_tokenizer(folder) or home == str(folder) else home
    if home.endswith(".gguf"):
        model, tokenizer = load_base(home)
    else:
        model, tokenizer = _network(home, choosing), _tokenizer(owner)
    notes, adapted = [], None
    if adapter.is_adapter(folder):
        adapted = folder, read_base(Path(home), model.config, base_name)
        model = adapter.merge(model, folder, len(tokenizer))
        notes.append(f"the LoRA adapter is merged into its base, {home}")
    if isinstance(model, GPT2DoubleHeadsModel):
        model = _without_choice(model)
        notes.append("the choice head is left out: nothing serves it")
    if len(tokenizer) > model.config.vocab_size:
        raise ValueError(f"its tokenizer has {len(tokenizer)} tokens, its model {model.config.vocab_size}: not a pair")
    return Trained(model.eval(), tokenizer, tuple(notes), adapted)


def load_base(name: str) -> tuple[Any, Any]:
    """A base and its tokenizer, in fp32: a GGUF file, whose weights are unpacked, or a folder. Raises OSError."""
    if not name.endswith(".gguf"):
        return _network(name, choosing=False), _tokenizer(name)
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"its base, {name}, is not there: put it there, or name it in {adapter.FILE}")
    place: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True}
    unpacked = GgufConfig(dequantize=True)
    with redirect_stderr(StringIO()):  # a bar that silence_transformers does not reach; errors are raised
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, quantization_config=unpacked, **place
        )
    return model.eval(), AutoTokenizer.from_pretrained(path.parent, **place)


def _network(name: str, choosing: bool) -> Any:
    """Every tensor from the files; one that is not there would be drawn at random without a word.

    `choosing`: an adapter brings the choice head.
    """
    config = AutoConfig.from_pretrained(name, local_files_only=True)
    if not isinstance(config, GPT2Config):
        raise ValueError(f"a model of type {config.model_type}: the export knows gpt2 alone")
    double = choosing or "GPT2DoubleHeadsModel" in (config.architectures or ())
    kind: Any = GPT2DoubleHeadsModel if double else GPT2LMHeadModel
    model, info = kind.from_pretrained(name, dtype=torch.float32, local_files_only=True, output_loading_info=True)
    absent = sorted(key for key in info["missing_keys"] if not (choosing and key.startswith(CHOICE_HEAD)))
    if absent:
        raise ValueError(f"{len(absent)} tensors are not there ({absent[0]}): the weights are not complete")
    return model


def _without_choice(double: Any) -> Any:
    with torch.device("meta"):
        model: Any = GPT2LMHeadModel(double.config)
    model.transformer, model.lm_head = double.transformer, double.lm_head
    return model


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json"))


def _tokenizer(name: str) -> Any:
    if Path(name).is_dir() and not _has_tokenizer(Path(name)):
        raise ValueError("there is no tokenizer: copy tokenizer.json and tokenizer_config.json of its training there")
    return AutoTokenizer.from_pretrained(name, local_files_only=True)


def _check_finite(model: Any, folder: Path) -> None:
    for name, weight in model.named_parameters():
        if broken := int((~torch.isfinite(weight)).sum()):
            raise ValueError(f"{folder}: {broken} values of {name} are no numbers (NaN or infinite)")


def first_line(error: BaseException) -> str:
    """The first line that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def silence_transformers() -> Iterator[None]:
    """No bars and no reports of transformers': what matters in them is looked at here."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
