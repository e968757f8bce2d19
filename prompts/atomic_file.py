"""A file that is written whole or not at all, for whoever keeps one. Knows paths; nothing of what is written."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path, private: bool = False) -> Iterator[Path]:
    """A path beside `path`, of its suffix, to write to: it takes the place of `path` at the end of the block.

    After a failure, also Ctrl-C, nothing is left of it. `private`: only its owner may read it. Raises OSError.
    """
    part = path.with_name(f".{secrets.token_hex(8)}.part{path.suffix}")
    try:
        if private:
            part.touch(mode=0o600)
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
