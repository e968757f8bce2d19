"""Who calls: whoever holds one of the keys, or anybody where none is set; and whose conversations he finds.

A key is compared in constant time and never kept: what is stored of it is a keyed hash.
"""

import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.http.context import note
from api.http.errors import Problem
from api.http.state import Here, Setup
from conversations.store.store import Store
from identity import keyed
from settings import Settings, SettingsError

log = logging.getLogger(__name__)
LINE = re.compile(r"(?P<name>[^\s:#][^\s:]*):(?P<hash>[0-9a-f]{64})")
ANYBODY = "api"  # the owner where nobody needs a key: a conversation's id, which nobody guesses, is the key to it
bearer = HTTPBearer(auto_error=False, description="One of API_KEYS; not needed where none is set.")


@dataclass(frozen=True)
class Caller:
    """`owner` is what the store keeps, `name` what limits count by: a key's hash, or an address."""

    owner: str
    name: str


def digest(key: str) -> str:
    """What a file of keys holds of one."""
    return hashlib.sha256(key.encode()).hexdigest()


def fresh() -> str:
    """A key nobody has."""
    return "sk-" + secrets.token_urlsafe(32)


def allowed(settings: Settings) -> tuple[str, ...]:
    """The hashes of the keys; empty where nobody needs one. Raises SettingsError for keys that nobody could send."""
    listed = settings.api_keys.get_secret_value() if settings.api_keys else ""
    if not (listed.isascii() and listed.isprintable()):
        raise SettingsError("API_KEYS: a key has characters that clients cannot send in a header, such as letters with "
                            "accents. `python cli.py key NAME` makes one")  # fmt: skip
    hashes = [digest(key) for part in listed.split(",") if (key := part.strip())]
    if settings.api_keys_file is not None:
        hashes += _read(settings.api_keys_file, settings.api_keys_file.stat().st_mtime_ns)
    if not hashes and (settings.api_keys or settings.api_keys_file):
        raise SettingsError("API_KEYS and API_KEYS_FILE hold no key, so nobody could come in: add one, or unset them")
    return tuple(hashes)


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int) -> list[str]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            fits = LINE.fullmatch(line.strip())
            if fits is None:
                raise SettingsError(
                    f"API_KEYS_FILE={path}, line {number}: no hashed key; write lines as `python cli.py key NAME` does"
                )
            found.append(fits["hash"])
    return found


def caller(
    request: Request, here: Here, sent: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None
) -> Caller:
    """For routes as `who: Who`. Raises Problem 401."""
    hashes = _now(here.settings)
    if not hashes:
        return _noted(request, ANYBODY, f"address:{keyed(here.settings, 'address', address(request))}")
    given = digest(sent.credentials) if sent is not None else ""
    fits = [hmac.compare_digest(given, known) for known in hashes]  # all are compared, whichever it is
    if not any(fits):
        text = "The key is wrong." if sent is not None else "A key is needed."
        raise Problem(401, f"{text} Send Authorization: Bearer and one of the server's API_KEYS.",
                      code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
    owner = f"key:{keyed(here.settings, 'key', given)}"
    return _noted(request, owner, owner)


def _noted(request: Request, owner: str, name: str) -> Caller:
    note(request.scope).caller = name
    return Caller(owner, name)


def _now(settings: Settings) -> tuple[str, ...]:
    """The hashes as they are. Raises Problem 503 where the file of keys was spoilt meanwhile: nobody comes in."""
    try:
        return allowed(settings)
    except (OSError, UnicodeError, SettingsError) as error:
        log.error("no key can be checked: %s", error)
        raise Problem(503, "The server cannot read its keys; its log says more.", code="keys_unavailable") from None


def address(request: Request) -> str:
    """Where a request comes from; behind a proxy uvicorn's FORWARDED_ALLOW_IPS makes this the client's own.

    Of IPv6 it is the network: whoever has one address there has 2**64.
    """
    host = request.client.host if request.client else "unknown"
    try:
        found = ip_address(host)
    except ValueError:
        return host
    if found.version == 4:
        return host
    return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))


async def _caller(
    request: Request, here: Here, sent: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None
) -> Caller:
    return caller(request, here, sent)


Who = Annotated[Caller, Depends(_caller)]


async def mine(here: Here, who: Who) -> Store:
    """The caller's conversations, for routes as `store: Mine`."""
    return Store(here.database, who.owner)


Mine = Annotated[Store, Depends(mine)]


def check(found: Setup) -> None:
    """Read the keys once, so that a spoilt file is named at the start. Raises SettingsError."""
    allowed(found.settings)
