"""The file by which a model sees (its projector, "mmproj"): found beside the model, and looked at before it is loaded.

Knows names of files and headers; loads nothing.
"""

import os
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from backends.llama.header import CutShortError, Header, HeaderError, read_header
from backends.llama.kind import describe

KINDS = ("mmproj", "clip")  # what `general.type` or `general.architecture` says of one
# Words of a name that say nothing of whose it is: what the file is, and how exact its numbers are.
NEUTRAL = re.compile(r"mmproj|model|gguf|ggml|vision|projector|f16|f32|fp16|fp32|bf16|i?q\d+|[ksmlx]|xs|xxs|\d", re.I)
NO_LIBRARY = (
    "this llama.cpp was compiled without its library for pictures (libmtmd): run `LLAMA_CPP_PICTURES=1 make install` "
    "in a new .venv"
)


def is_projector(header: Header) -> bool:
    """Whether a file says that it is one."""
    return header.text("general.type") in KINDS or header.architecture in KINDS


def beside(model: Path) -> Path | None:
    """The projector in a model's folder that bears its name or none; None where there is none."""
    return choose(model, sorted(path for path in model.parent.glob("*.gguf") if "mmproj" in path.name.lower()))


def choose(model: Path, projectors: Iterable[Path]) -> Path | None:
    """Of the projectors in a model's folder the one with most of its name, and with nobody else's."""
    own = set(_words(model.stem))
    named = {path: _words(path.stem) for path in projectors if path.parent == model.parent}
    fitting = [path for path, words in named.items() if own.issuperset(words)]
    return max(fitting, key=lambda path: len(named[path]), default=None)


def _words(stem: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", stem.lower()) if word and not NEUTRAL.fullmatch(word)]


def file_error(path: Path) -> str | None:
    """Why a file is no projector by which a model sees, going on after its name; None where nothing is seen."""
    try:
        header = read_header(path)
        size = path.stat().st_size
    except CutShortError as error:
        return f"{error}: download it again"
    except HeaderError:
        return describe(path)
    except OSError as error:
        return f"cannot be read ({error.strerror}): name the projector of the model, mmproj-….gguf"
    except ValueError:  # an empty file cannot be mapped
        return "is empty: download it again"
    if not is_projector(header):
        kind = header.architecture or "something else"
        return f"is no projector but a model ({kind}): name the file that comes with it for pictures, mmproj-….gguf"
    if header.metadata.get("clip.has_vision_encoder") is False:
        return "is a projector for sound alone: name one for pictures"
    if size < header.size:
        return f"is cut short: it has {size:,} of {header.size:,} bytes; download it again"
    return None


def library_error() -> str | None:
    """Why this llama.cpp sees no pictures, whatever the model; None where it does."""
    found = find_spec("llama_cpp")
    folder = os.environ.get("MTMD_CPP_LIB") or (found and found.origin and Path(found.origin).parent / "lib")
    return None if folder and any(Path(folder).glob("*mtmd*")) else NO_LIBRARY
