"""Authentication: whoever holds one of the keys, or anybody where none is set; and whose conversations that finds.

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
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.http.context import request_context
from api.http.errors import ApiError
from api.http.state import AppState, StateDep
from conversations.store import Store
from settings import Settings, SettingsError

log = logging.getLogger(__name__)
HASHED_KEY = re.compile(r"(?P<name>[^\s:#][^\s:]*):(?P<hash>[0-9a-f]{64})")
ANONYMOUS = "api"  # the owner where nobody needs a key: a conversation's id, which nobody guesses, is the key to it
bearer = HTTPBearer(auto_error=False, description="One of API_KEYS; not needed where none is set.")
key_header = APIKeyHeader(name="x-api-key", auto_error=False, description="The same, as Anthropic's clients send it.")


@dataclass(frozen=True)
class Principal:
    """Who calls: `owner` is what the store keeps, `name` what limits count by: pseudonyms of a key or an address."""

    owner: str
    name: str


def hash_key(key: str) -> str:
    """SHA-256 of a key, hexadecimal, as API_KEYS_FILE holds it."""
    return hashlib.sha256(key.encode()).hexdigest()


def generate_key() -> str:
    """A new API key: `sk-` and 256 random bits in URL-safe base64."""
    return "sk-" + secrets.token_urlsafe(32)


def key_hashes(settings: Settings) -> tuple[str, ...]:
    """The hashes of the keys that are set; empty where nobody needs one.

    Raises SettingsError for keys that nobody could send, OSError for a file that cannot be read.
    """
    configured = settings.api_keys.get_secret_value() if settings.api_keys else ""
    if not (configured.isascii() and configured.isprintable()):
        raise SettingsError(
            "API_KEYS: a key has characters that clients cannot send in a header, such as letters with "
            "accents. `python cli.py key NAME` makes one"
        )
    hashes = [hash_key(key) for part in configured.split(",") if (key := part.strip())]
    if settings.api_keys_file is not None:
        hashes += _read_hashes(settings.api_keys_file, settings.api_keys_file.stat().st_mtime_ns)
    if not hashes and (settings.api_keys or settings.api_keys_file):
        raise SettingsError("API_KEYS and API_KEYS_FILE hold no key, so nobody could come in: add one, or unset them")
    return tuple(hashes)


@lru_cache(maxsize=4)
def _read_hashes(path: Path, _changed: int) -> list[str]:
    hashes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            match = HASHED_KEY.fullmatch(line.strip())
            if match is None:
                raise SettingsError(
                    f"API_KEYS_FILE={path}, line {number}: no hashed key; write lines as `python cli.py key NAME` does"
                )
            hashes.append(match["hash"])
    return hashes


def authenticate(
    request: Request,
    state: StateDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    key: str | None = None,
) -> Principal:
    """The caller, noted in the context of the request. Raises ApiError 401 for a missing or wrong key, 503.

    `key` came in a header of its own; of two that are sent one has to be right.
    """
    hashes = _current_hashes(state.settings)
    if not hashes:
        return _identify(request, ANONYMOUS, f"address:{state.pseudonyms.of('address', client_address(request))}")
    given = (None if credentials is None else credentials.credentials, key)
    sent = [hash_key(each) for each in given if each is not None]
    right = [each for each in sent if _is_among(each, hashes)]
    if not right:
        text = "The key is wrong." if sent else "A key is needed."
        raise ApiError(
            401,
            f"{text} Send Authorization: Bearer (or x-api-key) and one of the server's API_KEYS.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    owner = f"key:{state.pseudonyms.of('key', right[0])}"
    return _identify(request, owner, owner)


def _is_among(sent_hash: str, hashes: tuple[str, ...]) -> bool:
    """Whether it is one of them; all are compared, whichever it is."""
    return any([hmac.compare_digest(sent_hash, key_hash) for key_hash in hashes])  # noqa: C419


def _identify(request: Request, owner: str, name: str) -> Principal:
    request_context(request.scope).caller = name
    return Principal(owner, name)


def _current_hashes(settings: Settings) -> tuple[str, ...]:
    """The hashes as they are now. Raises ApiError 503 where the file of keys was spoilt meanwhile: nobody comes in."""
    try:
        return key_hashes(settings)
    except (OSError, UnicodeError, SettingsError) as error:
        log.error("no key can be checked: %s", error)
        raise ApiError(503, "The server cannot read its keys; its log says more.", code="keys_unavailable") from None


def client_address(request: Request) -> str:
    """The address that a request comes from; behind a proxy FORWARDED_ALLOW_IPS (uvicorn's) makes it the client's own.

    Of IPv6 it is the network: whoever has one address there has 2**64.
    """
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


async def _authenticate(
    request: Request,
    state: StateDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)] = None,
    key: Annotated[str | None, Security(key_header)] = None,
) -> Principal:
    return authenticate(request, state, credentials, key)


CurrentPrincipal = Annotated[Principal, Depends(_authenticate)]


async def owner_store(state: StateDep, principal: CurrentPrincipal) -> Store:
    """The caller's conversations."""
    return Store(state.database, principal.owner)


OwnerStore = Annotated[Store, Depends(owner_store)]


def check_keys(state: AppState) -> None:
    """Read the keys once, so that a spoilt file is named at the start. Raises SettingsError."""
    key_hashes(state.settings)
