"""The cookie that tells browsers apart: named, signed and read, and where the key comes from. Knows no server, no page.

A cookie's name ends with a print of the key, since a browser sends one cookie jar to every port of a host and two
instances would replace each other's; and with a random part, since tabs that open together at a first visit are given
one cookie each. All stay in the jar, and the one issued first counts in every tab.
"""

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from itsdangerous import BadData, Signer, TimestampSigner

from conversations.store import connect
from settings import ROOT, Settings, SettingsError, display_path

PREFIX = "llm_assistant_owner_"
LIFETIME = timedelta(days=365)  # after the last visit
DAY = 86_400  # seconds
TICKET_DAYS = 1  # after the day of its making
MIN_KEY_LENGTH = 32  # characters of a key


class BrowserId(NamedTuple):
    """A cookie of ours: its name, and the browser it stands for. Identities sort by when they were issued."""

    cookie_name: str
    id: str

    @property
    def owner(self) -> str:
        """The owner's name in the store."""
        return f"browser:{self.id}"


class Cookies:
    """Reads, issues and signs the cookies of one key."""

    def __init__(self, key: str) -> None:
        self._signer = TimestampSigner(key, salt="owner", key_derivation="hmac", digest_method=hashlib.sha256)
        self._tickets = Signer(key, salt="ticket", key_derivation="hmac", digest_method=hashlib.sha256)
        self._prefix = PREFIX + self._signer.get_signature("name").decode()[:8].lower() + "_"

    def read(self, sent: Mapping[str, str]) -> BrowserId | None:
        """The badge among a browser's cookies; None where none is there, signed with this key and young enough."""
        ids = [
            BrowserId(name, identity)
            for name, value in sent.items()
            if name.startswith(self._prefix) and (identity := self._verify(value))
        ]
        return min(ids, key=lambda browser_id: browser_id.id, default=None)

    def read_all(self, sent: Mapping[str, str]) -> set[str]:
        """The ids of all valid badges among a browser's cookies: tabs that open together are given one each."""
        return {
            identity
            for name, value in sent.items()
            if name.startswith(self._prefix) and (identity := self._verify(value))
        }

    def issue(self, sent: Mapping[str, str]) -> BrowserId:
        """A badge nobody has; it takes the place of one that is not valid."""
        spoilt = next((name for name in sent if name.startswith(self._prefix)), None)
        return BrowserId(spoilt or self._prefix + secrets.token_hex(4), f"{time.time_ns():016x}{secrets.token_hex(16)}")

    def sign(self, browser_id: BrowserId) -> str:
        """The cookie's text, signed now."""
        return self._signer.sign(browser_id.id).decode()

    def sign_ticket(self, browser_id: BrowserId, owner: str) -> str:
        """A ticket with which this browser, and no other, may follow what belongs to `owner`; the same for a day."""
        expires = int(time.time()) // DAY + 1 + TICKET_DAYS
        return self._tickets.sign(json.dumps([browser_id.id, owner, expires])).decode()

    def read_ticket(self, ticket: str, sent: Mapping[str, str]) -> str | None:
        """The owner that a ticket names; None where it is not valid, too old, or another browser's."""
        try:
            browser, owner, expires = json.loads(self._tickets.unsign(ticket))
        except BadData:
            return None
        return str(owner) if browser in self.read_all(sent) and time.time() < expires * DAY else None

    def _verify(self, value: str) -> str | None:
        try:
            identity, signed = self._signer.unsign(value, return_timestamp=True)
        except BadData:
            return None
        # One from the future is good: the clock of the process that signed it may be ahead of this one.
        return identity.decode() if datetime.now(UTC) - signed <= LIFETIME else None


def cookies(settings: Settings) -> Cookies:
    """Those of COOKIE_SECRET, or of the key file. Raises SettingsError, and DatabaseError."""
    return Cookies(_secret(settings))


class Pseudonyms:
    """What stands for a phone number, an address or a key where it must not be read.

    The same in every process with the same key.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def of(self, kind: str, value: str) -> str:
        """128 bits, hexadecimal."""
        return hmac.new(self._key, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()[:32]


def pseudonyms(settings: Settings) -> Pseudonyms:
    """Those of COOKIE_SECRET, or of the key file. Raises as `cookies`."""
    return Pseudonyms(_secret(settings))


def _secret(settings: Settings) -> str:
    if settings.cookie_secret is None:
        return _read_key(_key_file(settings))
    key = settings.cookie_secret.get_secret_value()
    if len(key) < MIN_KEY_LENGTH:
        raise SettingsError(
            f"COOKIE_SECRET=(hidden): {len(key)} characters can be guessed, {MIN_KEY_LENGTH} are the least"
        )
    return key


def _key_file(settings: Settings) -> Path:
    """Beside SQLite's file, so that both are kept or lost together; for a server in data/."""
    database = connect(settings.database_url).file
    return (database.parent if database else ROOT / "data").resolve() / "cookie.key"


@lru_cache
def _read_key(path: Path) -> str:
    """The key in this file, which is made where it is not there. Read once. Raises SettingsError."""
    try:
        if not path.exists():
            _create_key(path)
        key = path.read_text().strip()
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"{display_path(str(path))}: {error}. Make it readable, or set COOKIE_SECRET") from error
    if len(key) < MIN_KEY_LENGTH:
        raise SettingsError(
            f"{display_path(str(path))} holds no key: delete it and a new one is made, or set COOKIE_SECRET"
        )
    return key


def _create_key(path: Path) -> None:
    """Written elsewhere and linked whole, so that of several processes the first one decides and all read the same."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
