"""Limits of one caller: so many requests in a window, so many tokens a day. Knows counts; nothing of routes.

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

from api.http.counter import DatabaseStorage
from api.http.errors import ApiError
from api.settings import ApiSettings
from conversations.store import Database, DatabaseError
from settings import SettingsError

log = logging.getLogger(__name__)
REQUESTS, TOKENS = "requests", "tokens"


class LimitResult(NamedTuple):
    """The headers that tell the limits, and the refusal where one is exceeded."""

    headers: dict[str, str]
    error: ApiError | None


class Limits:
    """RATE_LIMIT and TOKEN_QUOTA. Raises SettingsError for a storage that cannot be used."""

    def __init__(self, settings: ApiSettings, database: Database) -> None:
        self.requests = parse(settings.rate_limit) if settings.rate_limit else None
        self.tokens = RateLimitItemPerDay(settings.token_quota) if settings.token_quota else None
        self._storage = _create_storage(settings, database)
        self._charger = ThreadPoolExecutor(1, "charges")

    def hit(self, name: str) -> LimitResult:
        """Count one request of caller `name`; blocks for the storage. Raises DatabaseError, ApiError 503 without it."""
        headers: dict[str, str] = {}
        try:
            if self.requests is not None:
                wait, used = self._write_headers(headers, self.requests, REQUESTS, self._increment(self.requests, name))
                if used > self.requests.amount:
                    return LimitResult(headers, _rate_error(self.requests, wait))
            if self.tokens is not None:
                wait, used = self._write_headers(headers, self.tokens, TOKENS, self._current(self.tokens, name))
                if used >= self.tokens.amount:
                    return LimitResult(headers, _quota_error(self.tokens, wait))
        except StorageError as error:
            raise ApiError(
                503,
                "What counts the limits (LIMITS_STORAGE) does not answer. Try again soon.",
                code="limits_unavailable",
                headers={"Retry-After": "5"},
            ) from error
        return LimitResult(headers, None)

    def charge(self, name: str, tokens: int) -> None:
        """Add the tokens of a reply to the caller's day, in the background."""
        if self.tokens is not None and tokens > 0:
            self._charger.submit(self._charge, self.tokens, name, tokens)

    def flush(self) -> None:
        """Wait until every charge so far is written."""
        self._charger.submit(int).result()

    def _charge(self, item: RateLimitItem, name: str, tokens: int) -> None:
        try:
            self._storage.incr(item.key_for(TOKENS, name), item.get_expiry(), tokens)
        except (DatabaseError, StorageError) as error:
            log.warning("%s tokens were not counted: %s", tokens, type(error).__name__)

    def _increment(self, item: RateLimitItem, name: str) -> tuple[int, float]:
        """Requests with this one, and the end of their window in seconds since 1970."""
        key = item.key_for(REQUESTS, name)
        if isinstance(self._storage, DatabaseStorage):  # one question to the database instead of two
            return self._storage.incr_with_expiry(key, item.get_expiry())
        return self._storage.incr(key, item.get_expiry()), self._storage.get_expiry(key)

    def _current(self, item: RateLimitItem, name: str) -> tuple[int, float]:
        """Tokens so far, and the end of their window in seconds since 1970."""
        key = item.key_for(TOKENS, name)
        if isinstance(self._storage, DatabaseStorage):
            return self._storage.get_with_expiry(key)
        return self._storage.get(key), self._storage.get_expiry(key)

    @staticmethod
    def _write_headers(
        headers: dict[str, str], item: RateLimitItem, what: str, count: tuple[int, float]
    ) -> tuple[float, int]:
        """Write the headers as OpenAI does; returns the seconds until the window ends, and what is used in it."""
        used, end = count
        wait = max(0.0, end - time.time())
        headers[f"x-ratelimit-limit-{what}"] = str(item.amount)
        headers[f"x-ratelimit-remaining-{what}"] = str(max(0, item.amount - used))
        headers[f"x-ratelimit-reset-{what}"] = format_duration(wait)
        return wait, used


def format_duration(seconds: float) -> str:
    """Seconds as OpenAI's headers have them: 1h0m5s."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _retry_after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(wait)))}


def _rate_error(item: RateLimitItem, wait: float) -> ApiError:
    text = f"Too many requests: {item} are allowed (RATE_LIMIT). Try again in {format_duration(wait)}."
    return ApiError(429, text, code="rate_limit_exceeded", headers=_retry_after(wait))


def _quota_error(item: RateLimitItem, wait: float) -> ApiError:
    text = f"The {item.amount} tokens of this day are used (TOKEN_QUOTA). Try again in {format_duration(wait)}."
    return ApiError(429, text, code="insufficient_quota", headers=_retry_after(wait))


def _create_storage(settings: ApiSettings, database: Database) -> Storage:
    """The storage that LIMITS_STORAGE names. Raises SettingsError, without the address: it may hold a password."""
    if settings.limits_storage is None:
        return DatabaseStorage(database=database)
    address = settings.limits_storage.get_secret_value()
    scheme = urlsplit(address).scheme
    try:
        storage = storage_from_string(address, wrap_exceptions=True)
    except ConfigurationError as error:
        reason = str(error) if address not in str(error) else "there is no such kind of storage"
        raise SettingsError(
            f"LIMITS_STORAGE={scheme}://(hidden): {reason}. For Redis: `pip install redis` and redis://host:port; "
            "unset it to count in DATABASE_URL"
        ) from error
    if not isinstance(storage, Storage) or not storage.check():
        raise SettingsError(f"LIMITS_STORAGE={scheme}://(hidden) does not answer. Start it, or unset it")
    return storage
