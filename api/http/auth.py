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

from api.http.context import request_context
from api.http.errors import ApiError
from api.http.state import AppState, StateDep
from conversations.store import Store
from settings import Settings, SettingsError

log = logging.getLogger(__name__)
HASHED_KEY = re.compile(r"(?P<name>[^\s:#][^\s:]*):(?P<hash>[0-9a-f]{64})")
ANONYMOUS = "api"  # the owner where nobody needs a key: a conversation's id, which nobody guesses, is the key to it
bearer = HTTPBearer(auto_error=False, description="One of API_KEYS; not needed where none is set.")


@dataclass(frozen=True)
class Principal:
    """`owner` is what the store keeps, `name` what limits count by: a key's hash, or an address."""

    owner: str
    name: str


def hash_key(key: str) -> str:
    """What a file of keys holds of one."""
    return hashlib.sha256(key.encode()).hexdigest()


def generate_key() -> str:
    """A key nobody has."""
    return "sk-" + secrets.token_urlsafe(32)


def key_hashes(settings: Settings) -> tuple[str, ...]:
    """The hashes of the keys; empty where nobody needs one. Raises SettingsError for keys that nobody could send."""
    listed = settings.api_keys.get_secret_value() if settings.api_keys else ""
    if not (listed.isascii() and listed.isprintable()):
        raise SettingsError(
            "API_KEYS: a key has characters that clients cannot send in a header, such as letters with "
            "accents. `python cli.py key NAME` makes one"
        )
    hashes = [hash_key(key) for part in listed.split(",") if (key := part.strip())]
    if settings.api_keys_file is not None:
        hashes += _read_hashes(settings.api_keys_file, settings.api_keys_file.stat().st_mtime_ns)
    if not hashes and (settings.api_keys or settings.api_keys_file):
        raise SettingsError("API_KEYS and API_KEYS_FILE hold no key, so nobody could come in: add one, or unset them")
    return tuple(hashes)


@lru_cache(maxsize=4)
def _read_hashes(path: Path, _changed: int) -> list[str]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            fits = HASHED_KEY.fullmatch(line.strip())
            if fits is None:
                raise SettingsError(
                    f"API_KEYS_FILE={path}, line {number}: no hashed key; write lines as `python cli.py key NAME` does"
                )
            found.append(fits["hash"])
    return found


def authenticate(
    request: Request, state: StateDep, sent: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None
) -> Principal:
    """For routes as `who: Who`. Raises ApiError 401."""
    hashes = _current_hashes(state.settings)
    if not hashes:
        return _identify(request, ANONYMOUS, f"address:{state.pseudonyms.of('address', client_address(request))}")
    given = hash_key(sent.credentials) if sent is not None else ""
    fits = [hmac.compare_digest(given, known) for known in hashes]  # all are compared, whichever it is
    if not any(fits):
        text = "The key is wrong." if sent is not None else "A key is needed."
        raise ApiError(
            401,
            f"{text} Send Authorization: Bearer and one of the server's API_KEYS.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    owner = f"key:{state.pseudonyms.of('key', given)}"
    return _identify(request, owner, owner)


def _identify(request: Request, owner: str, name: str) -> Principal:
    request_context(request.scope).caller = name
    return Principal(owner, name)


def _current_hashes(settings: Settings) -> tuple[str, ...]:
    """The hashes as they are. Raises ApiError 503 where the file of keys was spoilt meanwhile: nobody comes in."""
    try:
        return key_hashes(settings)
    except (OSError, UnicodeError, SettingsError) as error:
        log.error("no key can be checked: %s", error)
        raise ApiError(503, "The server cannot read its keys; its log says more.", code="keys_unavailable") from None


def client_address(request: Request) -> str:
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


async def _authenticate(
    request: Request, state: StateDep, sent: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None
) -> Principal:
    return authenticate(request, state, sent)


CurrentPrincipal = Annotated[Principal, Depends(_authenticate)]


async def owner_store(state: StateDep, who: CurrentPrincipal) -> Store:
    """The caller's conversations, for routes as `store: Mine`."""
    return Store(state.database, who.owner)


OwnerStore = Annotated[Store, Depends(owner_store)]


def check_keys(found: AppState) -> None:
    """Read the keys once, so that a spoilt file is named at the start. Raises SettingsError."""
    key_hashes(found.settings)
