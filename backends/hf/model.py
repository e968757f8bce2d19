"""A saved model of Hugging Face's as a text-generation pipeline, its tokens, and what was saved with it.

Computes nothing.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelNotFoundError

from backends.local.loading import LoadCancelledError, Loading, current
from backends.local.sampling import read_saved
from prompts.special_tokens import SpecialToken

# What tokens swallow beside them: white space, as Rust's regular expressions have it.
BLANKS = "".join(c for c in map(chr, range(0x3001)) if c.isspace() and not "\x1c" <= c <= "\x1f")
GENERATION_CONFIG = "generation_config.json"


class Tokenizer:
    """A tokenizer of transformers': text to ids, ids to bytes. `special_ids` are those of `special_tokens`.

    `starts_anew`: text after a special token is tokenized as at the start of a prompt.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.added_tokens_decoder.items()
        self.special_tokens = tuple(_special_token(token) for _, token in added)
        self.special_ids = {str(token): int(i) for i, token in added}
        self._added = {int(i): b"" if token.special else str(token).encode() for i, token in added}
        self.template_variables = {"bos_token": "", "eos_token": "", **tokenizer.special_tokens_map}
        if tokenizer.extra_special_tokens:
            self.template_variables["additional_special_tokens"] = tokenizer.extra_special_tokens
        bos = tokenizer.bos_token_id
        self.bos_ids = (bos,) if bos is not None and tokenizer("x")["input_ids"][0] == bos else ()
        byte_level = any("\u0120" in piece for piece in tokenizer.get_vocab())  # how it writes a space
        self._byte_decoder = byte_decoder() if byte_level else None
        self.starts_anew = self._starts_anew()

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it stay text."""
        ids = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [int(i) for i in ids]

    def special_id(self, text: str) -> int:
        """The id of one of `special_tokens`."""
        return self.special_ids[text]

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token, of byte-level BPE or of a SentencePiece vocabulary; none of a special one."""
        if token in self._added:
            return self._added[token]
        piece = str(self._tokenizer.convert_ids_to_tokens(token))
        if self._byte_decoder is not None:
            return bytes(self._byte_decoder[c] for c in piece if c in self._byte_decoder)
        if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("\u2581", " ").encode("utf-8")

    def _starts_anew(self) -> bool:
        """Whether it puts the space that stands before a text (SentencePiece) behind a special token as well."""
        plain = [token.text for token in self.special_tokens if not (token.strips_after or token.whole_word)]
        if not plain:
            return True
        after = self._tokenizer.encode(f"{plain[0]}x", add_special_tokens=False)
        return list(after) == [self.special_ids[plain[0]], *self.encode("x")]


def _special_token(token: Any) -> SpecialToken:
    """One of tokenizers' added tokens; those that are special are no tokens in plain text."""
    before, after = (BLANKS if strips else "" for strips in (token.lstrip, token.rstrip))
    return SpecialToken(str(token), before, after, token.single_word, in_plain_text=not token.special)


def load_pipeline(name: str, adapt: Callable[[Any], Any] | None = None) -> Any:
    """The text-generation pipeline of a folder, GGUF file or hub name, in fp32 on a CPU.

    The hub is asked for a name alone. `adapt` may change the model before it is used. Raises ModelNotFoundError where
    there is none, ModelAPIError where its files are damaged.
    """
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    source, options = _source(name)
    device = 0 if torch.cuda.is_available() else -1
    dtype = torch.float16 if device == 0 else torch.float32
    try:
        with _progress(current()):
            model = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **options)
    except LoadCancelledError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelNotFoundError(f"gpt2: GPT2_MODEL={name} cannot be loaded: {str(error).splitlines()[0]}") from error
    except Exception as error:  # safetensors and tokenizers raise bare classes of their own
        if type(error).__module__.partition(".")[0] not in {"safetensors", "builtins", "tokenizers"}:
            raise
        raise ModelAPIError(f"gpt2: GPT2_MODEL={name} is damaged: {error}. Copy the model folder again.") from error
    model = (adapt(model) if adapt else model).eval()
    return transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device=device)


@contextmanager
def _progress(loading: Loading) -> Iterator[None]:
    """Have transformers tell how much of a model's weights is loaded, in the place of a bar."""
    from transformers.utils import logging

    def hook(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs.get("desc") != "Loading weights" or not args:
            return factory(*args, **kwargs)
        return _counted(args[0], loading)

    before = logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


def _counted(weights: Iterable[Any], loading: Loading) -> Iterator[Any]:
    """The weights, one by one. Raises LoadCancelledError where nobody waits for them any more."""
    everything = list(weights)
    for number, weight in enumerate(everything):
        loading.check(number / len(everything))
        yield weight


def _source(name: str) -> tuple[str, dict[str, Any]]:
    """What transformers is to load from, and its options: of a GGUF file the folder, and the file's name beside it."""
    path = Path(name)
    if path.is_file():
        return str(path.parent), {"gguf_file": path.name, "local_files_only": True}
    return name, {"local_files_only": path.is_dir()}


def context_window(config: Any, tokenizer: Any) -> int:
    """Tokens of the model's window, by the names that configs have for it, else the tokenizer's limit."""
    names = ("n_positions", "max_position_embeddings", "seq_length", "n_ctx")
    positions = next((int(n) for name in names if (n := getattr(config, name, None))), 0)
    return positions or min(int(tokenizer.model_max_length), 2048)


def saved_template(tokenizer: Any) -> str | None:
    """The chat template saved with the tokenizer, of several the default one; None where there is none."""
    saved = tokenizer.chat_template
    return saved.get("default") if isinstance(saved, dict) else saved


def saved_sampling(saved: Mapping[str, Any]) -> dict[str, float | int]:
    """The sampling options of a generation_config.json, by the names of `Sampling`."""
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    return read_saved({name: saved.get(name) for name in names}, GENERATION_CONFIG)


def end_ids(pipeline: Any) -> frozenset[int]:
    """The ids that end a reply: the tokenizer's and those of the model's generation config."""
    saved = pipeline.model.generation_config.eos_token_id
    several = saved if isinstance(saved, list) else [saved]
    return frozenset(int(i) for i in [*several, pipeline.tokenizer.eos_token_id] if i is not None)


def byte_decoder() -> dict[str, int]:
    """The byte that each of GPT-2's printable characters stands for."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {character: byte for byte, character in bytes_to_unicode().items()}
