"""The models there are on this machine and on the hub: what each is, needs and can. Loads and answers nothing."""

from backends.llama.header import read_header
from backends.local.memory import MemoryEstimate, judge_here, machine_memory
from backends.models.downloads import Download, dismiss, list_downloads, start
from backends.models.entry import Ability, Entry, Origin
from backends.models.hub import HubError, SearchResult, read_repository, search
from backends.models.memory import estimate
from backends.models.progress import format_bytes, format_parameters
from backends.models.recommended import MODELS as RECOMMENDED
from backends.models.recommended import Recommended, none_fits
from backends.models.removal import remove
from backends.models.repository import ChoiceError, Offer, Repository, split_spec
from backends.models.settings import ModelsSettings

__all__ = [
    "RECOMMENDED",
    "Ability",
    "ChoiceError",
    "Download",
    "Entry",
    "HubError",
    "MemoryEstimate",
    "ModelsSettings",
    "Offer",
    "Origin",
    "Recommended",
    "Repository",
    "SearchResult",
    "dismiss",
    "estimate",
    "format_bytes",
    "format_parameters",
    "judge_here",
    "list_downloads",
    "machine_memory",
    "none_fits",
    "read_header",
    "read_repository",
    "remove",
    "search",
    "split_spec",
    "start",
]
