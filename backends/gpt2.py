"""A GPT-2 (or any causal language model) of Hugging Face's, in this process, through a text-generation pipeline.

Knows tokens and weights; nothing of messages. torch and transformers are imported when the model is built.
"""

import random
import re
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelError, ModelNotFoundError
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.local import template
from backends.local.chat import LocalChat
from backends.local.engine import Engine, Request, Sampling
from settings import SHIPPED, Environment, Settings, named

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Knobs(Environment):
    """What only this backend needs."""

    model_config = SettingsConfigDict(env_prefix="GPT2_")

    model: str = Field(str(SHIPPED), description="a model folder or a Hugging Face hub name")


def unready(settings: Settings) -> str | None:
    """Why this backend cannot answer, with the remedy; None when it can."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} cannot be imported, not being installed: run `make install`"
    name = Knobs.read().model
    if trouble := template.problem(settings):
        return trouble
    if Path(name).is_dir():
        folder = Path(name)
        weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]
        if not (folder / "config.json").is_file() or not weights:
            return f"GPT2_MODEL={name} holds no config.json with weights: name a folder saved by save_pretrained"
        return None
    if not HUB_NAME.fullmatch(name) or Path(name).parts[0] in {".", "..", "models"}:
        return f"GPT2_MODEL={name} is no folder: name a model folder or a Hugging Face hub name"
    return None


def shipped() -> bool:
    """Whether this is the small model that ships."""
    return Path(Knobs.read().model).resolve() == SHIPPED


def build(settings: Settings) -> LocalChat:
    """Load the model. Raises ModelNotFoundError where there is none."""
    knobs = Knobs.read()
    reason = unready(settings)
    if reason:
        raise ModelNotFoundError(f"gpt2: {reason}")
    return LocalChat(engine=GPT2Engine(knobs.model, settings), model=named(knobs.model), **settings.sampling())


class GPT2Engine(Engine):
    """A pipeline's model and tokenizer, one request at a time."""

    name = "gpt2"

    def __init__(self, model: str, settings: Settings) -> None:
        self.pipeline = load(model)
        tokenizer, config = self.pipeline.tokenizer, self.pipeline.model.config
        self.window = window(config, tokenizer)
        self.template, self.template_origin = template.choose(settings, own_template(tokenizer), model)
        added = tokenizer.added_tokens_decoder.items()
        self._special_ids = {str(token): int(i) for i, token in added if token.special}
        self._added = {int(i): str(token).encode() for i, token in added if not token.special}
        self.specials = tuple(self._special_ids)
        self.variables = {"bos_token": tokenizer.bos_token or "", "eos_token": tokenizer.eos_token or ""}
        self._ends = end_ids(self.pipeline)
        self.defaults = saved_sampling(self.pipeline.model.generation_config)
        bos = tokenizer.bos_token_id
        self.start = (bos,) if bos is not None and tokenizer("x")["input_ids"][0] == bos else ()
        byte_level = any("\u0120" in piece for piece in tokenizer.get_vocab())  # how it writes a space
        self._byte = byte_table() if byte_level else None
        super().__init__()

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        ids = self.pipeline.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return [int(i) for i in ids]

    def special(self, text: str) -> int:
        """The id of a special token."""
        return self._special_ids[text]

    def data(self, token: int) -> bytes:
        """Bytes of a token, for byte-level BPE and for SentencePiece vocabularies."""
        piece = str(self.pipeline.tokenizer.convert_ids_to_tokens(token))
        if piece in self._special_ids:
            return b""
        if token in self._added:
            return self._added[token]
        if self._byte is not None:
            return bytes(self._byte[c] for c in piece if c in self._byte)
        if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("\u2581", " ").encode("utf-8")

    def ends(self, token: int) -> bool:
        """Whether the token is an end-of-sequence token."""
        return token in self._ends

    def _join(self, request: Request) -> bool:
        return True

    def _advance(self) -> None:
        for request in list(self._running):
            try:
                self._run(request, partial(self._accept, request))
            except ModelError as error:
                self._end(request, error)
            else:
                self._end(request)

    def _run(self, request: Request, accept: Callable[[int], bool]) -> None:
        import torch
        from transformers import GenerationConfig, StoppingCriteriaList

        sampling = request.sampling
        torch.manual_seed(random.getrandbits(63) if sampling.seed is None else sampling.seed)
        drawn: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            drawn = {"do_sample": True, "temperature": float(sampling.temperature), "top_p": sampling.top_p,
                     "top_k": sampling.top_k, "min_p": self._min_p(sampling)}  # fmt: skip
        ids = torch.tensor([list(request.prompt)], device=self.pipeline.model.device)
        config = GenerationConfig(
            **drawn, min_new_tokens=1, max_new_tokens=sampling.max_tokens,
            repetition_penalty=sampling.repetition_penalty,
            eos_token_id=sorted(self._ends) or None, pad_token_id=self.pipeline.tokenizer.pad_token_id or 0,
            suppress_tokens=sorted(self._ends) if sampling.ignore_eos else None,
        )  # fmt: skip

        def done(seen: Any, _scores: Any, **_: Any) -> Any:
            stop = not accept(int(seen[0, -1]))
            return torch.full((1,), stop, dtype=torch.bool, device=seen.device)

        with torch.inference_mode():
            self.pipeline.model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=config,
                stopping_criteria=StoppingCriteriaList([done]),
                logits_processor=penalties(sampling, len(request.prompt)),
            )  # fmt: skip

    def _min_p(self, sampling: Sampling) -> float | None:
        """None adds no step to the drawing; a value saved with the model would then hold, so 0 is said beside one."""
        return sampling.min_p if sampling.min_p or "min_p" in self.defaults else None


def penalties(sampling: Sampling, begins: int) -> Any:
    """A list of what lowers the logits of tokens drawn so far, before temperature; None where nothing does.

    `begins`: length of the prompt, whose tokens do not count.
    """
    if not (sampling.frequency_penalty or sampling.presence_penalty):
        return None
    import torch
    from transformers import LogitsProcessorList

    def lowered(seen: Any, scores: Any) -> Any:
        times = torch.bincount(seen[0, begins:], minlength=scores.shape[-1])
        return scores - sampling.frequency_penalty * times - sampling.presence_penalty * (times > 0)

    return LogitsProcessorList([lowered])


def load(name: str) -> Any:
    """The pipeline, in fp32 on a CPU. A folder is read without asking the hub."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    local = Path(name).is_dir()
    device = 0 if torch.cuda.is_available() else -1
    dtype = torch.float16 if device == 0 else torch.float32
    try:
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, local_files_only=local)
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=local)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelNotFoundError(f"gpt2: GPT2_MODEL={name} cannot be loaded: {str(error).splitlines()[0]}") from error
    except Exception as error:  # safetensors and tokenizers raise bare classes of their own
        if type(error).__module__.partition(".")[0] not in {"safetensors", "builtins", "tokenizers"}:
            raise
        raise ModelAPIError(f"gpt2: GPT2_MODEL={name} is damaged: {error}. Copy the model folder again.") from error
    model.eval()
    return transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device=device)


def window(config: Any, tokenizer: Any) -> int:
    """Positions of the model, by the names that configs have for them, else the tokenizer's limit."""
    names = ("n_positions", "max_position_embeddings", "seq_length", "n_ctx")
    found = next((int(n) for name in names if (n := getattr(config, name, None))), 0)
    return found or min(int(tokenizer.model_max_length), 2048)


def own_template(tokenizer: Any) -> str | None:
    """The template saved with the tokenizer; of several, the default one."""
    saved = tokenizer.chat_template
    return saved.get("default") if isinstance(saved, dict) else saved


def saved_sampling(config: Any) -> dict[str, float | int]:
    """The sampling knobs of generation_config.json."""
    saved = config.to_diff_dict()
    names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
    return {name: saved[name] for name in names if saved.get(name) is not None}


def end_ids(pipeline: Any) -> frozenset[int]:
    """Ids that end a reply, of the tokenizer and of the model's generation config."""
    saved = pipeline.model.generation_config.eos_token_id
    several = saved if isinstance(saved, list) else [saved]
    return frozenset(int(i) for i in [*several, pipeline.tokenizer.eos_token_id] if i is not None)


def byte_table() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes, the other way round."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {character: byte for byte, character in bytes_to_unicode().items()}
