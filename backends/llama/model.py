"""A GGUF file as llama.cpp loads it: its weights, its tokens, and what was saved with them. Computes nothing."""

import ctypes
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelNotFoundError

import llama_library
from backends.llama import adapter
from backends.llama.adapter import Adapter
from backends.llama.diagnosis import explain, load_error
from backends.llama.header import read_header
from backends.local.loading import Loading, current
from backends.local.sampling import read_saved
from prompts.special_tokens import SpecialToken

BLANKS = " \t\n\v\f\r"  # what tokens swallow beside them: C's isspace
SAMPLING_METADATA = {  # `general.sampling.*`, and the names of `Sampling`
    "temp": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "penalty_repeat": "repetition_penalty",
    "penalty_last_n": "repeat_last_n",
}


class Model:
    """A loaded file, with the adapters that contexts of it compute with.

    `special_ids`: those of `special_tokens`, by their text; `end_ids`: those that end a reply; `can_rewind`: whether
    its last tokens can be forgotten alone. What was saved with an adapter goes before what was saved
    with the model.
    """

    starts_anew = True  # text after a special token is tokenized as at the start of a prompt

    def __init__(self, path: Path, gpu_layers: int, adapters: Sequence[Adapter] = ()) -> None:
        """`gpu_layers`: -1 for all. Raises ModelNotFoundError for what is no file that llama.cpp can load."""
        self.api = llama_library.load()
        self.path, self.adapters = path, tuple(adapters)
        self.pointer = self._load(path, gpu_layers)
        self._adapter_pointers = self._load_adapters()
        self._adapter_headers = [read_header(each.path) for each in reversed(self.adapters)]  # the last one counts most
        self._vocab = self.api.llama_model_get_vocab(self.pointer)
        self.vocabulary_size = int(self.api.llama_vocab_n_tokens(self._vocab))
        self.parameters = int(self.api.llama_model_n_params(self.pointer))
        self.trained_window = int(self.api.llama_model_n_ctx_train(self.pointer))
        one_state = self.api.llama_model_is_recurrent(self.pointer) or self.api.llama_model_is_hybrid(self.pointer)
        self.can_rewind = not one_state and self.api.llama_model_n_swa(self.pointer) == 0
        self.special_tokens, self.special_ids = self._read_special_tokens()
        ends = [
            *self.special_ids.values(),
            self.api.llama_vocab_eos(self._vocab),
            self.api.llama_vocab_eot(self._vocab),
        ]
        self.end_ids = frozenset(int(t) for t in ends if t >= 0 and self.api.llama_vocab_is_eog(self._vocab, t))
        add = self.api.llama_vocab_get_add_bos(self._vocab)
        self.template_variables = self._read_template_variables()
        self.bos_ids = (int(self.api.llama_vocab_bos(self._vocab)),) if add else ()
        self._token_bytes: dict[int, bytes] = {}
        self._lock = threading.Lock()

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it stay text. Raises ModelAPIError after `close`."""
        data = text.encode("utf-8")
        ids = (self.api.llama_token * (len(data) + 2))()
        with self._lock:
            if not self.pointer:
                raise ModelAPIError("The llamacpp model was closed; start it again.")
            count = self.api.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, False)
        if count < 0:
            raise ModelAPIError("llamacpp: the tokenizer failed on this text.")
        return list(ids[:count])

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; none of a control token."""
        data = self._token_bytes.get(token)
        if data is None:
            data = self._token_bytes[token] = self._read_bytes(token, 256)
        return data

    def is_end(self, token: int) -> bool:
        """Whether a token ends a reply."""
        return token in self.end_ids or bool(self.api.llama_vocab_is_eog(self._vocab, token))

    def special_id(self, text: str) -> int:
        """The id of one of `special_tokens`."""
        return self.special_ids[text]

    def saved_template(self) -> str | None:
        """The chat template in the file, or in an adapter's; None where none has one."""
        adapted = (header.text("tokenizer.chat_template") for header in self._adapter_headers)
        if template := next(filter(None, adapted), None):
            return template
        own = self.api.llama_model_chat_template(self.pointer, None)
        return own.decode() if own else None

    def saved_sampling(self) -> dict[str, float | int]:
        """The sampling options in the `general.sampling.*` metadata of the file or an adapter's, by their own names."""
        saved = [header.metadata for header in (*self._adapter_headers, read_header(self.path))]
        found = {
            name: next((m[key] for m in saved if (key := f"general.sampling.{short}") in m), None)
            for short, name in SAMPLING_METADATA.items()
        }
        return read_saved(found, self.path.name)

    def adapt(self, context: Any) -> None:
        """Have a context compute with the adapters."""
        adapter.apply(self.api, context, self._adapter_pointers, self.adapters)

    def close(self) -> None:
        """Free the memory, after the texts that are being encoded."""
        with self._lock:
            if self.pointer:
                self.api.llama_model_free(self.pointer)
                self.pointer = None

    def _load(self, path: Path, gpu_layers: int) -> Any:
        if trouble := load_error(path):
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MODEL={path} {trouble}.")
        llama_library.log_lines.clear()
        params = self.api.llama_model_default_params()
        params.n_gpu_layers = 2**31 - 1 if gpu_layers < 0 else gpu_layers
        loading = current()
        params.progress_callback = callback = _progress_callback(self.api, loading)
        model = self.api.llama_model_load_from_file(os.fsencode(path), params)
        del callback  # it had to live until here: llama.cpp holds a bare pointer to it
        if not model:
            loading.check(loading.fraction)
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MODEL={path} {explain(llama_library.log_lines)}.")
        return model

    def _load_adapters(self) -> list[Any]:
        try:
            return adapter.load(self.api, self.pointer, self.path, self.adapters)
        except ModelNotFoundError:
            self.api.llama_model_free(self.pointer)
            raise

    def _read_special_tokens(self) -> tuple[tuple[SpecialToken, ...], dict[str, int]]:
        """Control tokens of the vocabulary and unknown ones; and those of users', which are found in plain text too."""
        api, tokens, ids = self.api, dict[str, SpecialToken](), dict[str, int]()
        control = api.LLAMA_TOKEN_ATTR_CONTROL | api.LLAMA_TOKEN_ATTR_UNKNOWN
        for token in range(self.vocabulary_size):
            if not self._has(token, control | api.LLAMA_TOKEN_ATTR_USER_DEFINED):
                continue
            text = self._text(token)
            before = BLANKS if self._has(token, api.LLAMA_TOKEN_ATTR_LSTRIP) else ""
            after = BLANKS if self._has(token, api.LLAMA_TOKEN_ATTR_RSTRIP) else ""
            tokens[text] = SpecialToken(text, before, after, in_plain_text=not self._has(token, control))
            ids[text] = token
        return tuple(tokens.values()), ids

    def _read_template_variables(self) -> dict[str, Any]:
        """The tokens that chat templates name, as transformers' `special_tokens_map` has them."""
        api, pointer = self.api, self._vocab
        ids = {name: int(getattr(api, f"llama_vocab_{name}")(pointer)) for name in ("bos", "eos", "sep", "pad", "mask")}
        ids["unk"] = int(self._metadata("tokenizer.ggml.unknown_token_id") or -1)
        named = {f"{name}_token": self._text(token) for name, token in ids.items() if token >= 0}
        others = [token.text for token in self.special_tokens if not token.in_plain_text]
        extra = [text for text in others if text not in named.values()]
        return {"bos_token": "", "eos_token": "", **named, "additional_special_tokens": extra}

    def _metadata(self, key: str) -> str | None:
        """A short value of the file's metadata; None where it has none."""
        buffer = ctypes.create_string_buffer(64)
        size = self.api.llama_model_meta_val_str(self.pointer, key.encode(), buffer, len(buffer))
        return buffer.value.decode() if size > 0 else None

    def _text(self, token: int) -> str:
        """A token as it stands in the vocabulary."""
        return str(self.api.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace"))

    def _has(self, token: int, attributes: int) -> bool:
        """Whether a token has one of some attributes."""
        return bool(self.api.llama_vocab_get_attr(self._vocab, token) & attributes)

    def _read_bytes(self, token: int, size: int) -> bytes:
        buffer = ctypes.create_string_buffer(size)
        length = self.api.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
        return buffer.raw[:length] if length >= 0 else self._read_bytes(token, -length)  # it says how many it needs


def _progress_callback(api: Any, loading: Loading) -> Any:
    """What llama.cpp calls with how much is loaded; it ends early where that is false."""

    @api.llama_progress_callback  # type: ignore[untyped-decorator]
    def advance(fraction: float, _: Any) -> bool:
        return loading.advance(fraction)

    return advance
