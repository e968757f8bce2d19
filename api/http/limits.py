"""What one caller may use: so many requests in a while, so many tokens a day. Knows counts; nothing of routes.

The `limits` library counts, in our own database or where LIMITS_STORAGE says.
"""

import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

from limits import RateLimitItem, RateLimitItemPerDay, parse
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string

from api.http.counter import Counters
from api.http.errors import Problem
from api.settings import Knobs
from conversations.store.database import Database, DatabaseError
from settings import SettingsError

log = logging.getLogger(__name__)
REQUESTS, TOKENS = "requests", "tokens"


class Taken(NamedTuple):
    """What a request's answer says of the limits, and why it is refused, where it is."""

    headers: dict[str, str]
    refusal: Problem | None


class Limits:
    """RATE_LIMIT and TOKEN_QUOTA. Raises SettingsError for a storage that cannot be used."""

    def __init__(self, knobs: Knobs, database: Database) -> None:
        self.requests = parse(knobs.rate_limit) if knobs.rate_limit else None
        self.tokens = RateLimitItemPerDay(knobs.token_quota) if knobs.token_quota else None
        self._counts = _storage(knobs, database)
        self._charging = ThreadPoolExecutor(1, "charges")

    def take(self, name: str) -> Taken:
        """Count one request of this caller. Blocks for a moment; raises DatabaseError, and Problem 503 likewise."""
        headers: dict[str, str] = {}
        try:
            if self.requests is not None:
                wait, used = self._told(headers, self.requests, REQUESTS, self._raised(self.requests, name))
                if used > self.requests.amount:
                    return Taken(headers, _too_often(self.requests, wait))
            if self.tokens is not None:
                wait, used = self._told(headers, self.tokens, TOKENS, self._seen(self.tokens, name))
                if used >= self.tokens.amount:
                    return Taken(headers, _too_much(self.tokens, wait))
        except StorageError as error:
            raise Problem(503, "What counts the limits (LIMITS_STORAGE) does not answer. Try again soon.",
                          code="limits_unavailable", headers={"Retry-After": "5"}) from error  # fmt: skip
        return Taken(headers, None)

    def charge(self, name: str, tokens: int) -> None:
        """Add what a reply used to the caller's day, soon; never waits."""
        if self.tokens is not None and tokens > 0:
            self._charging.submit(self._charge, self.tokens, name, tokens)

    def settle(self) -> None:
        """Until every charge so far is written."""
        self._charging.submit(int).result()

    def _charge(self, item: RateLimitItem, name: str, tokens: int) -> None:
        try:
            self._counts.incr(item.key_for(TOKENS, name), item.get_expiry(), tokens)
        except (DatabaseError, StorageError) as error:
            log.warning("%s tokens were not counted: %s", tokens, type(error).__name__)

    def _raised(self, item: RateLimitItem, name: str) -> tuple[int, float]:
        """Requests with this one, and when their window ends."""
        key = item.key_for(REQUESTS, name)
        if isinstance(self._counts, Counters):  # one question to the database instead of two
            return self._counts.raised(key, item.get_expiry())
        return self._counts.incr(key, item.get_expiry()), self._counts.get_expiry(key)

    def _seen(self, item: RateLimitItem, name: str) -> tuple[int, float]:
        """Tokens so far, and when their window ends."""
        key = item.key_for(TOKENS, name)
        if isinstance(self._counts, Counters):
            return self._counts.row(key)
        return self._counts.get(key), self._counts.get_expiry(key)

    @staticmethod
    def _told(headers: dict[str, str], item: RateLimitItem, what: str, found: tuple[int, float]) -> tuple[float, int]:
        """Write the headers as OpenAI does; returns the seconds until all is free again, and what is used."""
        used, end = found
        wait = max(0.0, end - time.time())
        headers[f"x-ratelimit-limit-{what}"] = str(item.amount)
        headers[f"x-ratelimit-remaining-{what}"] = str(max(0, item.amount - used))
        headers[f"x-ratelimit-reset-{what}"] = span(wait)
        return wait, used


def span(seconds: float) -> str:
    """As OpenAI's headers say it: 1h0m5s."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(wait)))}


def _too_often(item: RateLimitItem, wait: float) -> Problem:
    text = f"Too many requests: {item} are allowed (RATE_LIMIT). Try again in {span(wait)}."
    return Problem(429, text, code="rate_limit_exceeded", headers=_after(wait))


def _too_much(item: RateLimitItem, wait: float) -> Problem:
    text = f"The {item.amount} tokens of this day are used (TOKEN_QUOTA). Try again in {span(wait)}."
    return Problem(429, text, code="insufficient_quota", headers=_after(wait))


def _storage(knobs: Knobs, database: Database) -> Storage:
    """Raises SettingsError, without the address: it may hold a password."""
    if knobs.limits_storage is None:
        return Counters(database=database)
    address = knobs.limits_storage.get_secret_value()
    scheme = urlsplit(address).scheme
    try:
        found = storage_from_string(address, wrap_exceptions=True)
    except ConfigurationError as error:
        why = str(error) if address not in str(error) else "there is no such kind of storage"
        raise SettingsError(
            f"LIMITS_STORAGE={scheme}://(hidden): {why}. For Redis: `pip install redis` and redis://host:port; "
            "unset it to count in DATABASE_URL"
        ) from error
    if not isinstance(found, Storage) or not found.check():
        raise SettingsError(f"LIMITS_STORAGE={scheme}://(hidden) does not answer. Start it, or unset it")
    return found
