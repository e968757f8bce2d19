"""A GGUF file in this process, through llama-cpp-python's bindings of llama.cpp's own C interface.

Knows tokens and weights; nothing of messages. The library is loaded when the model is built.
"""

import ctypes
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelNotFoundError
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from backends.local import template
from backends.local.chat import LocalChat
from backends.local.engine import Engine, Request, Sampling
from settings import SHIPPED, Environment, Settings, named

SAVED = (("temp", "temperature", float), ("top_p", "top_p", float), ("top_k", "top_k", int),
         ("min_p", "min_p", float), ("penalty_repeat", "repetition_penalty", float))  # fmt: skip
PREFILL = 128  # prompt tokens between two looks at the stop flag


class Knobs(Environment):
    """What only this backend needs."""

    model_config = SettingsConfigDict(env_prefix="LLAMACPP_")

    model: str | None = Field(
        None, description="a GGUF file, or repo_id:filename on the Hugging Face hub; unset: the one in models/default"
    )
    n_ctx: int | None = Field(None, ge=8, description="the window in tokens; unset: the model's own, at most 8192")
    n_gpu_layers: int = Field(0, ge=-1, description="layers on the GPU, -1 for all (needs a build with GPU support)")
    threads: int | None = Field(None, ge=1, description="computing threads; unset: the cores there are, at most 8")

    def path(self) -> str:
        """The GGUF to load, as a path or `repo_id:filename`."""
        files = sorted(SHIPPED.glob("*.gguf"))
        return self.model or str(files[0] if files else SHIPPED / "model-f16.gguf")


def unready(settings: Settings) -> str | None:
    """Why this backend cannot answer, with the remedy; None when it can."""
    if find_spec("llama_cpp") is None:
        return "the package llama-cpp-python is not installed: run `make install`"
    name = Knobs.read().path()
    if trouble := template.problem(settings):
        return trouble
    if Path(name).is_file():
        return None
    if ":" in name and name.endswith(".gguf") and not Path(name).is_absolute():
        if find_spec("huggingface_hub") is None:
            return f"LLAMACPP_MODEL={name} is on the hub: `pip install huggingface_hub`, or download the file"
        return None
    return f"LLAMACPP_MODEL={name} is no file: name a GGUF file, or repo_id:filename on the Hugging Face hub"


def shipped() -> bool:
    """Whether this is the small model that ships."""
    return Path(Knobs.read().path()).resolve().parent == SHIPPED


def build(settings: Settings) -> LocalChat:
    """Load the model. Raises ModelNotFoundError where there is none."""
    reason = unready(settings)
    if reason:
        raise ModelNotFoundError(f"llamacpp: {reason}")
    knobs = Knobs.read()
    engine = LlamaEngine(fetch(knobs.path()), knobs, settings)
    return LocalChat(engine=engine, model=named(knobs.path()), **settings.sampling())


def fetch(name: str) -> Path:
    """The file itself, from the hub where the name says so."""
    if Path(name).is_file():
        return Path(name)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, filename = name.partition(":")
    try:
        return Path(hf_hub_download(repository, filename))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ModelNotFoundError(
            f"llamacpp: LLAMACPP_MODEL={name} cannot be fetched from the hub ({error}). "
            "Download the file by other means and name its path."
        ) from error


class LlamaEngine(Engine):
    """One context of llama.cpp, one request at a time; the cache of a shared beginning is kept."""

    name = "llamacpp"

    def __init__(self, path: Path, knobs: Knobs, settings: Settings) -> None:
        import llama_cpp

        self.api: Any = llama_cpp.llama_cpp
        _quiet(self.api)
        self._model = self._load(path, knobs)
        self._vocab = self.api.llama_model_get_vocab(self._model)
        self._context = self._open(path, knobs)
        self._memory = self.api.llama_get_memory(self._context)
        own = self.api.llama_model_chat_template(self._model, None)
        self.template, self.template_origin = template.choose(settings, own.decode() if own else None, path.name)
        self._special_ids = self._specials()
        self.specials = tuple(self._special_ids)
        self.variables = {"bos_token": self._text("bos"), "eos_token": self._text("eos")}
        self._ends = [token for token in self._special_ids.values() if self.ends(token)]
        add = self.api.llama_vocab_get_add_bos(self._vocab)
        self.start = (int(self.api.llama_vocab_bos(self._vocab)),) if add else ()
        self.defaults = self._saved_sampling()
        self._past: list[int] = []
        super().__init__()

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        data = text.encode("utf-8")
        ids = (self.api.llama_token * (len(data) + 2))()
        count = self.api.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, False)
        if count < 0:
            raise ModelAPIError("llamacpp: the tokenizer failed on this text.")
        return list(ids[:count])

    def special(self, text: str) -> int:
        """The id of a control token."""
        return self._special_ids[text]

    def data(self, token: int) -> bytes:
        """Bytes of a token."""
        buffer = ctypes.create_string_buffer(256)
        size = self.api.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(0, size)]

    def ends(self, token: int) -> bool:
        """Whether the token ends generation."""
        return bool(self.api.llama_vocab_is_eog(self._vocab, token))

    def close(self) -> None:
        """End the thread, then give back the memory."""
        super().close()
        if not self._thread.is_alive() and self._context:
            self.api.llama_free(self._context)
            self.api.llama_model_free(self._model)
            self._context = None

    def _run(self, request: Request, accept: Callable[[int], bool]) -> None:
        if request.sampling.seed is not None:
            self._forget()  # a reused beginning was computed in other batches and rounds otherwise: not the same text
        fresh = self._reuse(request.prompt)
        chain = self._sampler(request.sampling, request.prompt)
        try:
            for start in range(0, len(fresh), PREFILL):
                if request.cancelled.is_set():
                    return
                self._decode(fresh[start : start + PREFILL])
            token = self._first(chain)
            while accept(token):
                self._decode([token])
                token = int(self.api.llama_sampler_sample(chain, self._context, -1))
        finally:
            self.api.llama_sampler_free(chain)

    def _reuse(self, prompt: Sequence[int]) -> Sequence[int]:
        """Keep the cache of what this prompt shares with the last; returns what must still be computed."""
        shared = 0
        for old, new in zip(self._past, prompt[:-1], strict=False):
            if old != new:
                break
            shared += 1
        if not self.api.llama_memory_seq_rm(self._memory, 0, shared, -1):
            self._forget()
            shared = 0
        self._past = self._past[:shared]
        return prompt[shared:]

    def _forget(self) -> None:
        self._past = []
        self.api.llama_memory_clear(self._memory, True)

    def _first(self, chain: Any) -> int:
        """The first token of a reply, which is none that ends it: transformers calls this min_new_tokens=1."""
        logits = self.api.llama_get_logits_ith(self._context, -1)
        for end in self._ends:
            logits[end] = -math.inf
        return int(self.api.llama_sampler_sample(chain, self._context, -1))

    def _decode(self, ids: Sequence[int]) -> None:
        array = (self.api.llama_token * len(ids))(*ids)  # the batch holds a bare pointer to it
        status = self.api.llama_decode(self._context, self.api.llama_batch_get_one(array, len(ids)))
        if status != 0:
            self._forget()
            raise ModelAPIError(f"llamacpp: llama_decode failed with status {status}; the request was given up.")
        self._past += ids

    def _sampler(self, sampling: Sampling, prompt: Sequence[int]) -> Any:
        """What changes logits, then top-k, temperature, top-p, min-p, draw: transformers' own order and meaning."""
        api = self.api
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        for part in self._changes(sampling, prompt):
            api.llama_sampler_chain_add(chain, part)
        if sampling.temperature == 0:
            api.llama_sampler_chain_add(chain, api.llama_sampler_init_greedy())
        else:
            seed = random.getrandbits(32) if sampling.seed is None else sampling.seed
            for part in (
                api.llama_sampler_init_top_k(sampling.top_k),
                api.llama_sampler_init_temp(sampling.temperature),
                api.llama_sampler_init_top_p(sampling.top_p, 1),
                *([api.llama_sampler_init_min_p(sampling.min_p, 1)] if sampling.min_p else []),
                api.llama_sampler_init_dist(seed),
            ):
                api.llama_sampler_chain_add(chain, part)
        return chain

    def _changes(self, sampling: Sampling, prompt: Sequence[int]) -> Iterator[Any]:
        """No end, the penalty for tokens of the prompt and the reply, then those for tokens of the reply alone."""
        api, size = self.api, self.api.llama_vocab_n_tokens(self._vocab)
        if sampling.ignore_eos and self._ends:
            never = (api.llama_logit_bias * len(self._ends))(*((token, -math.inf) for token in self._ends))
            yield api.llama_sampler_init_logit_bias(size, len(never), never)
        if sampling.repetition_penalty != 1.0:
            penalty = api.llama_sampler_init_penalties(size, self.window, sampling.repetition_penalty, 0.0, 0.0)
            for token in prompt:
                api.llama_sampler_accept(penalty, token)
            yield penalty
        often, once = sampling.frequency_penalty, sampling.presence_penalty
        if often or once:
            yield api.llama_sampler_init_penalties(size, self.window, 1.0, often, once)

    def _load(self, path: Path, knobs: Knobs) -> Any:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelNotFoundError(f"llamacpp: LLAMACPP_MODEL={path} is not a GGUF file.")
        params = self.api.llama_model_default_params()
        params.n_gpu_layers = 2**31 - 1 if knobs.n_gpu_layers < 0 else knobs.n_gpu_layers
        model = self.api.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise ModelNotFoundError(f"llamacpp: {path} cannot be loaded: {_log_tail()}. Download the file again.")
        return model

    def _open(self, path: Path, knobs: Knobs) -> Any:
        trained = int(self.api.llama_model_n_ctx_train(self._model))
        params = self.api.llama_context_default_params()
        # What we asked for, not what llama.cpp then says: it rounds up, beyond the weights.
        self.window = params.n_ctx = knobs.n_ctx or min(trained, 8192)
        params.n_batch = params.n_ubatch = 512
        threads = knobs.threads or min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
        params.n_threads = params.n_threads_batch = threads
        if trained < params.n_ctx:
            self.api.llama_model_free(self._model)
            raise ModelNotFoundError(
                f"llamacpp: LLAMACPP_N_CTX={knobs.n_ctx} is more than the {trained} tokens {path.name} was trained for."
            )
        context = self.api.llama_init_from_model(self._model, params)
        if not context:
            self.api.llama_model_free(self._model)
            raise ModelAPIError(f"llamacpp: no memory for a window of {params.n_ctx} tokens; lower LLAMACPP_N_CTX.")
        return context

    def _text(self, which: str) -> str:
        """The text of the bos or eos token, empty where there is none."""
        token = int(getattr(self.api, f"llama_vocab_{which}")(self._vocab))
        return next((text for text, number in self._special_ids.items() if number == token), "")

    def _saved_sampling(self) -> dict[str, float | int]:
        """The sampling knobs in the file's `general.sampling.*` metadata."""
        found: dict[str, float | int] = {}
        for key, name, kind in SAVED:
            buffer = ctypes.create_string_buffer(64)
            if self.api.llama_model_meta_val_str(self._model, f"general.sampling.{key}".encode(), buffer, 64) > 0:
                found[name] = kind(buffer.value.decode())
        return found

    def _specials(self) -> dict[str, int]:
        """Control tokens of the vocabulary, by their text; user-defined ones are ordinary text to llama.cpp."""
        wanted = self.api.LLAMA_TOKEN_ATTR_CONTROL
        found: dict[str, int] = {}
        for token in range(self.api.llama_vocab_n_tokens(self._vocab)):
            if self.api.llama_vocab_get_attr(self._vocab, token) & wanted:
                found[self.api.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")] = token
        return found


_lines: list[str] = []
_callback: Any = None  # kept alive: llama.cpp holds a bare pointer to it


def _quiet(api: Any) -> None:
    """Keep llama.cpp's log lines to ourselves, for the reason of a failure."""
    global _callback
    if _callback is None:

        @api.llama_log_callback  # type: ignore[untyped-decorator]
        def keep(level: int, text: bytes, _: Any) -> None:
            if level >= 3:
                _lines.append(text.decode("utf-8", "replace").strip())
                del _lines[:-20]

        _callback = keep
        api.llama_log_set(keep, None)
        api.llama_backend_init()


def _log_tail() -> str:
    return next((line for line in reversed(_lines) if "error" in line.lower() or "fail" in line.lower()), "damaged")
