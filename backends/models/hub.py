"""The Hugging Face hub, asked through its own client: which models there are, and what a repository holds.

Asks only when it is called. Knows the hub's answers and errors; nothing of how a file is written.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, cast

from langchain_core.exceptions import ModelNotFoundError

from backends.models.repository import RemoteFile, Repository
from settings import install_hint

TIMEOUT = 20.0  # seconds for an answer
EXPANDED = ["downloads", "likes", "gated", "tags", "gguf"]  # what is told of each repository that is found


class HubError(ModelNotFoundError):
    """The hub gave no answer, or not the one that was asked for; the text says why, and the remedy."""


class SearchResult(NamedTuple):
    """A repository that was found; what the hub does not tell is 0 or empty."""

    repository: str
    downloads: int
    likes: int
    licence: str
    is_gated: bool
    architecture: str
    parameters: int
    window: int


def check_client() -> None:
    """Raises HubError where the hub's client is not installed."""
    if find_spec("huggingface_hub") is None:
        raise HubError(install_hint("huggingface_hub", "run `make install`", "BACKENDS=llamacpp (or all)"))


def endpoint() -> str:
    """The hub's address."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def session_tools() -> Any:
    """The client's `get_session`, `build_hf_headers` and `hf_raise_for_status`, which its types do not name."""
    return import_module("huggingface_hub.utils")


def search(words: str, limit: int = 20) -> list[SearchResult]:
    """Repositories with GGUF files that fit some words, the most downloaded first. Raises HubError."""
    check_client()
    from huggingface_hub.hf_api import ModelInfo

    client, info = session_tools(), cast(Any, ModelInfo)
    asked: Any = {"search": words, "filter": "gguf", "sort": "downloads", "limit": limit, "expand": EXPANDED}
    with explained(words):  # HfApi.list_models would try for half a minute where there is no network
        answer = client.get_session().get(
            f"{endpoint()}/api/models", params=asked, headers=client.build_hf_headers(), timeout=TIMEOUT
        )
        client.hf_raise_for_status(answer)
        return [_result(info(**each)) for each in answer.json()[:limit]]


def read_repository(name: str) -> Repository:
    """What a repository holds now. Raises HubError."""
    check_client()
    from huggingface_hub import HfApi

    with explained(name):
        told = HfApi(endpoint=endpoint()).model_info(name, files_metadata=True, timeout=TIMEOUT)
    files = tuple(_remote_file(each) for each in told.siblings or ())
    return Repository(name, str(told.sha), files, bool(told.gated), _licence(told.tags))


def _result(info: Any) -> SearchResult:
    gguf = info.gguf if isinstance(info.gguf, dict) else {}
    return SearchResult(
        str(info.id),
        int(info.downloads or 0),
        int(info.likes or 0),
        _licence(info.tags),
        bool(info.gated),
        str(gguf.get("architecture") or ""),
        int(gguf.get("total") or 0),
        int(gguf.get("context_length") or 0),
    )


def _remote_file(sibling: Any) -> RemoteFile:
    large = sibling.lfs
    return RemoteFile(
        str(sibling.rfilename), int((large or sibling).size or 0), large.sha256 if large else None, sibling.blob_id
    )


def _licence(tags: list[str] | None) -> str:
    named = (tag.removeprefix("license:") for tag in tags or () if tag.startswith("license:"))
    return next(named, "")


@contextmanager
def explained(name: str) -> Iterator[None]:
    """A block whose errors of the hub become HubError, one line with the remedy."""
    from httpx2 import HTTPError, InvalidURL
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise HubError(f"{name}: HF_HUB_OFFLINE is set, and the hub is not asked. Unset it to download.") from error
    except HFValidationError as error:
        raise HubError(f"{name} is no name of a repository: write owner/name, as Qwen/Qwen3-0.6B-GGUF.") from error
    except HfHubHTTPError as error:
        raise HubError(f"{name} {_refusal(error, name)}") from error
    except (HTTPError, InvalidURL, OSError, ValueError) as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise HubError(f"{name}: the hub at {endpoint()} cannot be reached ({cause}). Try again later.") from error


def _refusal(error: Any, name: str) -> str:
    """Why the hub refused; goes on after the repository's name."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RepositoryNotFoundError

    has_token, status = get_token() is not None, error.response.status_code
    if isinstance(error, GatedRepoError):
        page = f"{endpoint()}/{name}"
        if has_token:
            return f"is given on terms only, and HF_TOKEN's account has not accepted them: accept them on {page}."
        return f"is given on terms only: accept them on {page}, and set HF_TOKEN to a token of your account."
    if isinstance(error, RemoteEntryNotFoundError):
        return "lacks a file that it listed: try again."
    if status == 401 and has_token:
        return "is refused: HF_TOKEN is not valid (401). Make a new one in the hub's settings, or unset it."
    if isinstance(error, RepositoryNotFoundError):
        hint = "" if has_token else " If it is private, set HF_TOKEN."
        return f"is not there: the hub shows nobody such a repository. Look at its name.{hint}"
    if status == 403:
        return "is refused (403): HF_TOKEN's account may not read it. Give its token the right to read."
    if status == 429:
        return "is refused (429): the hub was asked too often. Wait some minutes, or set HF_TOKEN."
    return f"cannot be read: the hub answered {status}. Try again later."
