"""What a repository on a hub offers: each model in its files, whole. Knows names and sizes of files; asks nobody.

A GGUF is one offer, a split one with all its parts; the weights of `save_pretrained` with what loads them are another.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from backends.llama.parts import parse_name

QUANTIZATION = re.compile(r"(?<![a-z0-9])(i?q\d\w*|tq\d\w*|bf16|f16|f32|fp16|mxfp4\w*)(?=[.-]|$)", re.IGNORECASE)
USUAL = ("Q4_K_M", "Q4_K_S", "Q5_K_M", "Q4_0", "Q8_0")  # what is taken of several that nobody chose from
PROJECTOR_PREFERENCE = ("f16", "bf16", "q8_0", "f32")
BESIDE = re.compile(
    r"[\w.-]*(config|tokenizer|vocab|special_tokens|merges|chat_template)[\w.-]*\.(json|jinja|txt|model)"
)
WEIGHTS = re.compile(r"model[\w.-]*\.safetensors(\.index\.json)?")
CARD = "README.md"
SAVED = "transformers"  # what the offer of a saved model is called


class ChoiceError(ValueError):
    """A repository has no such model, or several and nobody said which."""


class RemoteFile(NamedTuple):
    """A file in a repository. `sha256` is None for small ones, which Git itself keeps by `git_hash`."""

    name: str
    size: int
    sha256: str | None
    git_hash: str | None


@dataclass(frozen=True)
class Offer:
    """A model of a repository: `name` is its first file, or SAVED; `files` are all that it needs."""

    name: str
    quantization: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Repository:
    """A repository at one commit. `is_gated`: its files are for whoever accepted its terms."""

    name: str
    commit: str
    files: tuple[RemoteFile, ...]
    is_gated: bool = False
    licence: str = ""

    def offers(self) -> list[Offer]:
        """Its models: each GGUF, then the saved one."""
        return [*self._gguf_offers(), *self._saved_offers()]

    def choose(self, wanted: str | None) -> Offer:
        """The model of a file's name, of a quantization (Q4_K_M), or the usual one. Raises ChoiceError."""
        offers = self.offers()
        if not offers:
            raise ChoiceError(f"{self.name} holds no whole GGUF and no safetensors: nothing that a backend here loads.")
        if wanted is None:
            return _usual(offers, self.name)
        matches = [each for each in offers if wanted in (each.name, each.name.rpartition("/")[2])] or [
            each for each in offers if each.quantization.upper() == wanted.upper()
        ]
        if len(matches) != 1:
            what = f"several models called {wanted}" if matches else f"no {self._missing_part(wanted) or wanted}"
            raise ChoiceError(f"{self.name} has {what}. It has: {_names(matches or offers)}.")
        return matches[0]

    def _missing_part(self, name: str) -> str | None:
        """The first part of a split model that is not there."""
        part, known = parse_name(name), {file.name for file in self.files}
        return next((f"{each}, a part of {name}" for each in part.all() if each not in known), None) if part else None

    def _gguf_offers(self) -> Iterable[Offer]:
        known = {file.name: file for file in self.files if file.name.endswith(".gguf")}
        projectors = [file for name, file in known.items() if "mmproj" in name.lower()]
        card = [file for file in self.files if file.name == CARD]
        for name, file in known.items():
            part = parse_name(name)
            if file in projectors or (part and part.number != 1) or "imatrix" in name.lower():
                continue
            names = part.all() if part else [name]
            if any(each not in known for each in names):  # it is being uploaded
                continue
            projector = min(projectors, key=_projector_rank, default=None)
            files = (*(known[each] for each in names), *([projector] if projector else []), *card)
            yield Offer(name, _quantization(name), files)

    def _saved_offers(self) -> Iterable[Offer]:
        weights = [file for file in self.files if WEIGHTS.fullmatch(file.name)]
        if any(file.name == "config.json" for file in self.files) and weights:
            beside = [file for file in self.files if BESIDE.fullmatch(file.name) and file not in weights]
            card = [file for file in self.files if file.name == CARD]
            yield Offer(SAVED, "", (*weights, *beside, *card))


def split_spec(spec: str) -> tuple[str, str | None]:
    """Repository and wanted model of `owner/name` or `owner/name:model`."""
    repository, _, wanted = spec.partition(":")
    return repository, wanted or None


def _quantization(name: str) -> str:
    found = QUANTIZATION.findall(name.rpartition("/")[2])
    return found[-1].upper() if found else ""


def _projector_rank(file: RemoteFile) -> tuple[int, int]:
    name = file.name.lower()
    rank = next((n for n, kind in enumerate(PROJECTOR_PREFERENCE) if kind in name), len(PROJECTOR_PREFERENCE))
    return rank, file.size


def _usual(offers: Sequence[Offer], repository: str) -> Offer:
    if len(offers) == 1:
        return offers[0]
    for kind in USUAL:
        matches = [each for each in offers if each.quantization == kind]
        if len(matches) == 1:
            return matches[0]
    raise ChoiceError(f"{repository} has several models; name one, as {repository}:{offers[0].name}: {_names(offers)}.")


def _names(offers: Sequence[Offer]) -> str:
    shown = ", ".join(each.name for each in offers[:12])
    return shown + (f" and {len(offers) - 12} more" if len(offers) > 12 else "")
