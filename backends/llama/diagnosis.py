"""Why a file cannot be loaded as a model: in one line, with the remedy. Loads nothing.

Before loading (`load_error`): 1. a GGUF at all, 2. a model that writes text, 3. a whole split model, 4. a whole file,
of types that llama.cpp reads. After llama.cpp refused (`explain`): what its log says, in words of people.
Knows headers and log lines; nothing of the library.
"""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.llama.header import CutShortError, Header, HeaderError, read_header
from backends.llama.kind import describe
from backends.llama.parts import PartName, parse_name
from backends.llama.quantization import REMOVED_TENSOR_TYPES

MAGIC = b"GGUF"
NO_CHAT = {  # what `general.type` and `general.architecture` say of files that are beside a model
    "mmproj": "the projector of a model that reads images or sound (mmproj)",
    "clip": "the projector of a model that reads images or sound (mmproj)",
    "adapter": "a LoRA adapter",
    "controlvector": "a control vector",
    "imatrix": "an importance matrix, from which models are quantized",
}
MOST_LAYERS = 512
ENCODERS = ("t5", "t5encoder")
POOLED = (1, 2, 3, 4)  # `pooling_type` of models that make one vector, or a rank, of a text


def load_error(path: Path) -> str | None:
    """Why a file is no model that can be loaded, going on after its name; None where nothing is seen."""
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == MAGIC
        if not is_gguf:
            return describe(path)
        header = read_header(path)
        return _kind_error(header) or _parts_error(path, header) or _whole_error(path, header)
    except CutShortError as error:
        return f"{error}: download it again"
    except HeaderError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _kind_error(header: Header) -> str | None:
    """What a GGUF is that is no model which writes text."""
    beside = next(
        (NO_CHAT[name] for name in (header.text("general.type"), header.architecture) if name in NO_CHAT), None
    )
    if beside:
        return f"is {beside}: name the GGUF of the model itself"
    if not header.architecture:
        return "names no architecture in its header, and llama.cpp cannot load it: take another GGUF of the model"
    if header.architecture in ENCODERS:
        return f"is an encoder model ({header.architecture}), which this backend does not compute: take a chat model"
    causal = header.metadata.get(f"{header.architecture}.attention.causal", True)
    if not causal or header.integer(f"{header.architecture}.pooling_type", 0) in POOLED:
        return (
            f"writes no text one token after the other ({header.architecture}: made for embeddings, ranking or "
            "diffusion): take a chat model"
        )
    layers = header.integer(f"{header.architecture}.block_count", 1)
    if not 1 <= layers <= MOST_LAYERS:  # llama.cpp would end the process
        return f"is damaged: its header names {layers} layers; take another GGUF of the model"
    if not header.tensors and header.part.total == 1:
        return "holds no weights, only a vocabulary: take the GGUF of the model itself"
    return None


def _parts_error(path: Path, header: Header) -> str | None:
    """What is wrong with a split model whose first part this should be."""
    part, name = header.part, parse_name(path.name)
    if part.total == 1:
        return _joined_error(path, header)
    if part.number != 1:
        first = str(name._replace(number=1)) if name else "the one that ends in -00001-of-…"
        return f"is part {part.number} of {part.total} of a split model: name the first part, {first}"
    if name is None or (name.number, name.total) != (1, part.total):
        return (
            f"is the first of {part.total} parts of a split model, and the others are found by its name: let it end "
            f"in -00001-of-{part.total:05}.gguf, as it did"
        )
    return _missing_error(path, name) or next(filter(None, (_part_error(path, name, n) for n in name.all()[1:])), None)


def _missing_error(path: Path, name: PartName) -> str | None:
    missing = [part for part in name.all() if not path.with_name(part).is_file()]
    if not missing:
        return None
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return (
        f"is part 1 of {name.total} of a split model, and {missing[0]}{others} is missing: put all parts in one folder"
    )


def _part_error(path: Path, first: PartName, part: str) -> str | None:
    """What is wrong with another part than the first."""
    other, expected = path.with_name(part), parse_name(part)
    assert expected is not None
    try:
        header = read_header(other)
    except CutShortError as error:
        return f"has a part that cannot be read: {part} {error}; download that part again"
    except HeaderError as error:
        return f"has a part that cannot be read: {part} {error}; take that part anew"
    if header.part != (expected.number, first.total):
        number, total = header.part
        return f"has a part {part} that by its header is part {number} of {total}: take the parts anew"
    trouble = _whole_error(other, header)
    return f"has a part that cannot be read: {part} {trouble}" if trouble else None


def _joined_error(path: Path, header: Header) -> str | None:
    """Whether a file is the beginning of one that was cut in pieces of bytes, which have to be joined first."""
    pieces = re.search(
        r"(?i)[-.](split-a+|part-?0*[01](of\d+)?|0*[01]-of-\d+|0*[01])$", path.name.removesuffix(".gguf")
    )
    if path.name.endswith(".gguf") or not pieces or path.stat().st_size >= header.size:
        return None
    return (
        "is the first piece of a file that was cut up: join all pieces (`cat PIECES > model.gguf`) and name the result"
    )


def _whole_error(path: Path, header: Header) -> str | None:
    """What lacks of the tensors that a header names."""
    size = path.stat().st_size
    if size < header.size:
        return f"is cut short: it has {size} of {header.size} bytes; download it again"
    removed = next((t for t in header.tensors if t.type in REMOVED_TENSOR_TYPES), None)
    if removed:
        name = REMOVED_TENSOR_TYPES[removed.type]
        return f"is quantized as {name}, which llama.cpp no longer reads: take another quantization, as Q4_0 or Q4_K_M"
    return None


# What llama.cpp's log says of a file that it refused, and the words for it.
REFUSALS: tuple[tuple[str, str], ...] = (
    (
        r"unknown model architecture: '(.*)'",
        "is of the architecture {0}, which this llama.cpp ({llama}) does not know: update llama-cpp-python, or take "
        "another model",
    ),
    (
        r"unknown pre-tokenizer type: '(.*)'",
        "splits words as {0}, which this llama.cpp ({llama}) does not know: update llama-cpp-python, or take another "
        "model",
    ),
    (
        r"unknown tokenizer: '(.*)'",
        "has a tokenizer {0}, which this llama.cpp ({llama}) does not know: take another model",
    ),
    (
        r"(?:missing tensor|check_tensor_dims: tensor) '(.*?)'(?! has)",
        "lacks the tensor {0}: it was converted for another version of llama.cpp ({llama} here), or not wholly; take "
        "another GGUF of the model",
    ),
    (
        r"tensor '(.*?)' has wrong shape",
        "has a tensor {0} of another shape than its header says: take another GGUF of the model",
    ),
    (
        r"wrong number of tensors; expected (\d+), got (\d+)",
        "has {0} tensors, of which its architecture knows {1} in this llama.cpp ({llama}): update llama-cpp-python, or "
        "take another GGUF of the model",
    ),
    (
        r"tensor '(.*?)' .*has invalid ggml type (\d+)",
        "has a tensor {0} of type {1}, which this llama.cpp ({llama}) does not know: update llama-cpp-python, or take "
        "another quantization",
    ),
    (r"key not found in model: (\S+)", "has no {0} in its header: take another GGUF of the model"),
    (
        r"corrupted model: (\d+) tensors expected but (\d+) found",
        "has {1} of the {0} tensors of its parts: take them anew",
    ),
    (
        r"(?:unable|failed) to allocate (.*)",
        "does not fit into memory ({0}): take a smaller quantization, or lower LLAMACPP_N_GPU_LAYERS",
    ),
)


def explain(log: Iterable[str]) -> str:
    """Why llama.cpp refused a file, by its log, the last line last; goes on after the file's name."""
    lines = list(log)
    for pattern, words in REFUSALS:
        for line in lines:
            if match := re.search(pattern, line):
                return words.format(*match.groups(), llama=f"llama-cpp-python {installed_version()}")
    return f"cannot be loaded: {_first_reason(lines)}; take another GGUF of the model"


def _first_reason(lines: Iterable[str]) -> str:
    """The line of a log that names the cause: the first failure, without the functions it came through."""
    failures = [line for line in lines if re.search(r"error|fail|invalid|illegal|bad ", line, re.IGNORECASE)]
    line = next((line for line in failures if "error loading model" in line), failures[0] if failures else "damaged")
    return re.sub(r"^(?:(?:\w+|error loading model[ \w]*): )+", "", " ".join(line.split())).rstrip(". ")


def installed_version() -> str:
    """The version of llama-cpp-python."""
    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return "unknown"
