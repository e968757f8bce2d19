"""What a model sees of pictures: llama.cpp's mtmd cuts them into views, and its encoder computes each, once.

A picture is 1. unpacked and cut, which tells its tokens (`look`), and 2. encoded in a thread of its own (`encode`),
while others chat; what came out is kept, the least used goes. The numbers are put into a context in the place of
tokens by the engine. Knows pictures and llama.cpp's pointers; nothing of messages, sequences and contexts.
"""

import ctypes
import logging
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.exceptions import ModelAPIError, ModelInvalidRequestError, ModelNotFoundError
from numpy.typing import NDArray

import llama_library
from backends.llama.model import Model
from backends.llama.pixels import Pixels, read_pixels
from backends.llama.projector_file import file_error, library_error
from backends.local.picture import Picture, stand_ins

TEXT = 0  # the type of a chunk of tokens
KEPT = 64 * 2**20  # bytes of pictures that are kept for when they are sent again
UNENCODED = 4 * 2**20  # bytes that a view takes before it is encoded, about
log = logging.getLogger(__name__)


class View:
    """One rectangle that the model sees of a picture: `tokens` stand for it.

    `embeddings`: a row for each of them, once it is encoded; `error`: why it could not be. `is_whole`: they are to be
    computed together. `has_sides`: their places have a height and a width.
    """

    def __init__(self, mtmd: Any, chunk: Any, tokens: tuple[int, ...], *, is_whole: bool, has_sides: bool) -> None:
        """`chunk` is mtmd's own, which is copied."""
        self._mtmd, self.tokens, self.is_whole, self.has_sides = mtmd, tokens, is_whole or has_sides, has_sides
        self.is_causal = not is_whole
        self._hold(mtmd.mtmd_input_chunk_copy(chunk))
        self.embeddings: NDArray[np.float32] | None = None
        self.error: ModelAPIError | None = None
        self.is_done = threading.Event()
        self.is_begun = False

    @property
    def bytes(self) -> int:
        """About how much memory it takes."""
        return UNENCODED if self.embeddings is None else self.embeddings.nbytes

    def places(self, start: int) -> NDArray[np.int32]:
        """Where each token stands in a text that goes on at `start`: a row for each number of a place."""
        length = len(self.tokens)
        if not self.has_sides:
            return np.arange(start, start + length, dtype=np.int32)[None]
        image = self._mtmd.mtmd_input_chunk_get_tokens_image(self.chunk)
        found = (self._mtmd.mtmd_image_tokens_get_decoder_pos(image, start, at) for at in range(length))
        return np.array([(each.t, each.y, each.x, each.z) for each in found], np.int32).T

    def encode(self, context: Any, width: int) -> None:
        """Compute the embeddings, `width` numbers each; `error` says why that failed."""
        try:
            if self._mtmd.mtmd_encode_chunk(context, self.chunk):
                self.error = ModelAPIError("llamacpp: the projector could not compute a picture; the log says why.")
                return
            found = self._mtmd.mtmd_get_output_embd(context)
            self.embeddings = np.ctypeslib.as_array(found, (len(self.tokens), width)).copy()
            if not self.has_sides:  # its pixels are of no use any more
                self._hold(None)
        except Exception as error:  # whatever a library throws, whoever waits has to hear of it
            log.exception("a picture could not be encoded")
            self.error = ModelAPIError(f"llamacpp: a picture could not be encoded: {error!r}")
        finally:
            self.is_done.set()

    def _hold(self, chunk: Any) -> None:
        if (finalizer := getattr(self, "_finalizer", None)) is not None:
            finalizer()
        self.chunk = chunk
        self._finalizer = weakref.finalize(self, self._mtmd.mtmd_input_chunk_free, chunk) if chunk else None
        if self._finalizer is not None:
            self._finalizer.atexit = False  # the library may be gone by then


class Projector:
    """The projector of a model, loaded. `encoded` counts the views that were computed."""

    def __init__(self, path: Path, model: Model, threads: int, *, on_gpu: bool = False) -> None:
        """Raises ModelNotFoundError for what is none, or none for this model."""
        if trouble := library_error():
            raise ModelNotFoundError(f"llamacpp: {trouble}")
        if trouble := file_error(path):
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MMPROJ={path} {trouble}")
        try:
            self._mtmd, self.path = llama_library.load_pictures(), path
        except (OSError, RuntimeError) as error:
            raise ModelNotFoundError(f"llamacpp: llama.cpp's library for pictures does not load: {error}") from error
        self._context = self._load(model, threads, on_gpu)
        self.width = int(model.api.llama_model_n_embd_inp(model.pointer))
        self.has_sides = bool(self._mtmd.mtmd_decode_use_mrope(self._context))
        self.encoded = 0
        self._pictures = OrderedDict[str, Picture]()  # the least used first
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="projector")

    def _load(self, model: Model, threads: int, on_gpu: bool) -> Any:
        params = self._mtmd.mtmd_context_params_default()
        params.use_gpu, params.n_threads, params.print_timings = on_gpu, threads, False
        llama_library.log_lines.clear()
        context = self._mtmd.mtmd_init_from_file(os.fsencode(self.path), model.pointer, params)
        told = " ".join(" ".join(llama_library.log_lines).split())
        if not context:
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MMPROJ={self.path} {_explain(told, model.path.name)}")
        if not self._mtmd.mtmd_support_vision(context):
            self._mtmd.mtmd_free(context)
            raise ModelNotFoundError(f"llamacpp: LLAMACPP_MMPROJ={self.path} sees no pictures: name one that does.")
        return context

    def look(self, data: bytes) -> Picture:
        """What stands for a picture, which is not encoded by this. Raises ModelInvalidRequestError, ModelAPIError."""
        name = sha256(data).hexdigest()
        with self._lock:
            if (known := self._pictures.get(name)) is not None:
                self._pictures.move_to_end(name)
                return known
        pixels = read_pixels(data)
        with self._lock:
            if not self._context:
                raise ModelAPIError("The llamacpp model was closed; start it again.")
            picture = self._pictures[name] = self._cut(pixels, name)
            while len(self._pictures) > 1 and sum(map(_bytes, self._pictures.values())) > KEPT:
                self._pictures.popitem(last=False)
        return picture

    def encode(self, view: View) -> None:
        """Have a view computed soon, unless it is."""
        with self._lock:
            if not view.is_begun and self._context:
                view.is_begun = True
                self._thread.submit(self._encode, view)

    def _encode(self, view: View) -> None:
        view.encode(self._context, self.width)
        self.encoded += 1
        if view.error is not None:  # who sends it again tries again
            with self._lock:
                failed = [name for name, each in self._pictures.items() if view in each.views]
                for name in failed:
                    del self._pictures[name]

    def close(self) -> None:
        """Free the memory, after what is being computed; a second call does nothing."""
        self._thread.shutdown(cancel_futures=True)
        with self._lock:
            if self._context:
                self._mtmd.mtmd_free(self._context)
                self._context = None

    def _cut(self, pixels: Pixels, name: str) -> Picture:
        """The views of a picture, and what the model reads between them. Raises ModelInvalidRequestError."""
        mtmd, marker = self._mtmd, self._mtmd.mtmd_default_marker()
        buffer = (ctypes.c_uint8 * len(pixels.data)).from_buffer_copy(pixels.data)
        bitmap = mtmd.mtmd_bitmap_init(pixels.width, pixels.height, buffer)
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            text = mtmd.mtmd_input_text(marker, len(marker), False, True)
            status = mtmd.mtmd_tokenize(self._context, chunks, ctypes.byref(text), (ctypes.c_void_p * 1)(bitmap), 1)
            if status:
                size = f"{pixels.width} x {pixels.height}"
                raise ModelInvalidRequestError(f"A picture of {size} pixels cannot be cut for this model: change it.")
            found = list(self._read(chunks, name))
        finally:
            mtmd.mtmd_input_chunks_free(chunks)
            mtmd.mtmd_bitmap_free(bitmap)
        views = tuple(each for each in found if isinstance(each, View))
        tokens = (token for each in found for token in (each.tokens if isinstance(each, View) else each))
        return Picture(tuple(tokens), views)

    def _read(self, chunks: Any, name: str) -> Iterator[View | list[int]]:
        """The views, and the tokens between them, in order."""
        mtmd = self._mtmd
        for at in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, at)
            if mtmd.mtmd_input_chunk_get_type(chunk) == TEXT:
                count = ctypes.c_size_t()
                tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
                yield list(tokens[: count.value])
            else:
                length, steps = mtmd.mtmd_input_chunk_get_n_tokens(chunk), mtmd.mtmd_input_chunk_get_n_pos(chunk)
                stand = stand_ins(f"{name} {at}", length, steps)
                is_whole = bool(mtmd.mtmd_decode_use_non_causal(self._context, chunk))
                yield View(mtmd, chunk, stand, is_whole=is_whole, has_sides=self.has_sides)


def _bytes(picture: Picture) -> int:
    return sum(view.bytes for view in picture.views)


def _explain(told: str, model: str) -> str:
    """Why a projector cannot be loaded, by what llama.cpp said."""
    if "mismatch between text model" in told:
        return f"is no projector of {model}: its pictures are of another width. Name the one that comes with the model."
    said = told.rpartition("error: ")[2][:200] or "it said nothing"
    return f"cannot be loaded by this llama.cpp ({said.rstrip('. ')}): take a newer llama-cpp-python, or another file."
