"""Files of the open web, fetched once into Hugging Face's cache folder (HF_HOME). Knows no format."""

import os
import shutil
import tempfile
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from training.sources import UnreachableError

SECONDS = 30


def cache() -> Path:
    """The folder for what sources fetch, by the same variables as Hugging Face's own."""
    above = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{above}/huggingface"
    return Path(os.path.expandvars(home)).expanduser() / "sources"


def cached(source: str, url: str) -> Path:
    """The local copy of a file, fetched when it is not there yet. Raises UnreachableError."""
    file = cache() / source / Path(urllib.parse.urlparse(url).path).name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        # A broken transfer leaves the folder as it was: the name appears when the file is whole.
        with tempfile.TemporaryDirectory(dir=file.parent) as part:
            complete = Path(part) / file.name
            try:
                _fetch(url, complete)
            except (OSError, HTTPException) as error:
                raise UnreachableError(source, url, error) from error
            complete.replace(file)
    return file


def _fetch(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=SECONDS) as response, path.open("wb") as file:
        size = int(response.headers.get("Content-Length") or 0)
        with tqdm.wrapattr(response, "read", total=size or None, desc=path.name, disable=None) as body:
            shutil.copyfileobj(body, file)
    if size and path.stat().st_size != size:
        raise OSError(f"{path.stat().st_size:,} of {size:,} bytes came")
