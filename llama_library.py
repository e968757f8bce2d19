"""llama.cpp's library in this process: loaded once, with its kernels and the last lines of its log. Knows no model.

Chats, vectors and checks of exports compute with it, each with models of their own. The functions are those of
llama-cpp-python's bindings of llama.cpp's C interface (include/llama.h).
"""

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

WARNING = 3  # the level of a log line from which on it is kept
log_lines: list[str] = []  # the last ones, for the reason of a failure
_callback: Any = None  # kept alive: llama.cpp holds a bare pointer to it
_lock = threading.Lock()


def load() -> Any:
    """The functions of the library, ready to load models."""
    import llama_cpp

    api: Any = llama_cpp.llama_cpp
    with _lock:
        if _callback is None:
            _prepare(api)
    return api


def load_pictures() -> Any:
    """The functions of its library for pictures (tools/mtmd/mtmd.h), which some builds lack."""
    load()  # first: both compute with the same kernels
    from llama_cpp import mtmd_cpp

    mtmd: Any = mtmd_cpp
    mtmd.mtmd_log_set(_callback, None)
    return mtmd


def _prepare(api: Any) -> None:
    """Keep the log, and load what is computed with."""
    global _callback

    @api.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(level: int, text: bytes, _: Any) -> None:
        if level >= WARNING:
            log_lines.append(text.decode("utf-8", "replace").strip())
            del log_lines[:-20]

    api.llama_log_set(keep, None)
    _load_kernels(api)
    api.llama_backend_init()
    _callback = keep


def _load_kernels(api: Any) -> None:
    """Load the best kernels that this CPU can run, where the library was built with several (GGML_BACKEND_DL)."""
    folder = Path(api.__file__).with_name("lib")
    if next(folder.glob("libggml-cpu-*.so"), None) is not None:
        # Through libllama: in a wheel each name of libggml is a file of its own, and the other one is another library.
        api._lib.ggml_backend_load_all_from_path(ctypes.c_char_p(os.fsencode(folder)))
