"""A GGUF file as llama.cpp loads it: its weights, its tokens, and what was saved with them. Computes nothing.

The functions are llama-cpp-python's bindings of llama.cpp's C interface (include/llama.h).
"""

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelNotFoundError

SAVED = (("temp", "temperature", float), ("top_p", "top_p", float), ("top_k", "top_k", int),
         ("min_p", "min_p", float), ("penalty_repeat", "repetition_penalty", float))  # fmt: skip
_lines: list[str] = []
_callback: Any = None  # kept alive: llama.cpp holds a bare pointer to it


class Model:
    """A loaded file. `specials` are its control tokens, `ends` those that end a reply. Raises ModelNotFoundError."""

    def __init__(self, path: Path, gpu_layers: int) -> None:
        import llama_cpp

        self.api: Any = llama_cpp.llama_cpp
        self.path = path
        _quiet(self.api)
        self.pointer = self._load(path, gpu_layers)
        self._vocab = self.api.llama_model_get_vocab(self.pointer)
        self.size = int(self.api.llama_vocab_n_tokens(self._vocab))
        self.parameters = int(self.api.llama_model_n_params(self.pointer))
        self.trained = int(self.api.llama_model_n_ctx_train(self.pointer))
        self.specials = self._specials()
        self.ends = frozenset(t for t in self.specials.values() if self.api.llama_vocab_is_eog(self._vocab, t))
        add = self.api.llama_vocab_get_add_bos(self._vocab)
        self.start = (int(self.api.llama_vocab_bos(self._vocab)),) if add else ()
        self._pieces: dict[int, bytes] = {}
        self._open = threading.Lock()

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        data = text.encode("utf-8")
        ids = (self.api.llama_token * (len(data) + 2))()
        with self._open:
            if not self.pointer:
                raise ModelAPIError("The llamacpp model was closed; start it again.")
            count = self.api.llama_tokenize(self._vocab, data, len(data), ids, len(ids), False, False)
        if count < 0:
            raise ModelAPIError("llamacpp: the tokenizer failed on this text.")
        return list(ids[:count])

    def data(self, token: int) -> bytes:
        """Bytes of a token; none of a control token."""
        found = self._pieces.get(token)
        if found is None:
            buffer = ctypes.create_string_buffer(256)
            size = self.api.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
            found = self._pieces[token] = buffer.raw[: max(0, size)]
        return found

    def end(self, token: int) -> bool:
        """Whether a token ends generation."""
        return bool(self.api.llama_vocab_is_eog(self._vocab, token))

    def text(self, which: str) -> str:
        """The text of the bos or eos token, empty where there is none."""
        token = int(getattr(self.api, f"llama_vocab_{which}")(self._vocab))
        return next((text for text, number in self.specials.items() if number == token), "")

    def template(self) -> str | None:
        """The chat template in the file."""
        own = self.api.llama_model_chat_template(self.pointer, None)
        return own.decode() if own else None

    def sampling(self) -> dict[str, float | int]:
        """The sampling knobs in the file's `general.sampling.*` metadata."""
        found: dict[str, float | int] = {}
        for key, name, kind in SAVED:
            buffer = ctypes.create_string_buffer(64)
            if self.api.llama_model_meta_val_str(self.pointer, f"general.sampling.{key}".encode(), buffer, 64) > 0:
                found[name] = kind(buffer.value.decode())
        return found

    def close(self) -> None:
        """Give the memory back, when nobody's text is being read."""
        with self._open:
            if self.pointer:
                self.api.llama_model_free(self.pointer)
                self.pointer = None

    def _load(self, path: Path, gpu_layers: int) -> Any:
        try:
            with path.open("rb") as file:
                begins = file.read(4)
        except OSError as error:
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MODEL={path} cannot be read: {error.strerror}.") from error
        if begins != b"GGUF":
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MODEL={path} is not a GGUF file.")
        params = self.api.llama_model_default_params()
        params.n_gpu_layers = 2**31 - 1 if gpu_layers < 0 else gpu_layers
        model = self.api.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise ModelNotFoundError(f"llamacpp: {path} cannot be loaded: {_log_tail()}. Download the file again.")
        return model

    def _specials(self) -> dict[str, int]:
        """Control tokens of the vocabulary, by their text; user-defined ones are ordinary text to llama.cpp."""
        wanted = self.api.LLAMA_TOKEN_ATTR_CONTROL
        found: dict[str, int] = {}
        for token in range(self.size):
            if self.api.llama_vocab_get_attr(self._vocab, token) & wanted:
                found[self.api.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")] = token
        return found


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
        _kernels(api)
        api.llama_backend_init()


def _kernels(api: Any) -> None:
    """Load the best that this CPU can run, where the library was built for several (GGML_BACKEND_DL)."""
    folder = Path(api.__file__).with_name("lib")
    if next(folder.glob("libggml-cpu-*.so"), None) is not None:
        # Through libllama: in a wheel each name of libggml is a file of its own, and the other one is another library.
        api._lib.ggml_backend_load_all_from_path(ctypes.c_char_p(os.fsencode(folder)))


def _log_tail() -> str:
    return next((line for line in reversed(_lines) if "error" in line.lower() or "fail" in line.lower()), "damaged")
