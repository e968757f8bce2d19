"""A running server of ours, asked over its API. Knows addresses and answers; no chain and no screen."""

from typing import Any
from urllib.parse import urlsplit

from langchain_core.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelNotFoundError,
    ModelTimeoutError,
)

import backends
from settings import Settings, SettingsError

HEALTH_TIMEOUT = 10.0  # seconds to wait for /health
START_REMEDY = "Start it with `python cli.py serve`, or correct the address."


def parse_address(url: str) -> str:
    """The server's address without /v1. Raises SettingsError."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise SettingsError(f"--url={url}: give an http(s) address, such as http://localhost:8501")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError("--url: it holds more than an address; a key belongs into API_KEY")
    return url.rstrip("/").removesuffix("/v1")


def remote_settings(url: str) -> Settings:
    """The settings with which the openai backend asks this server, and no other. Raises SettingsError.

    A key for OpenAI is none of this server's business: it is sent API_KEY.
    """
    settings = Settings.read()
    key = settings.api_key.get_secret_value().strip() if settings.api_key else "none"
    if not (key.isascii() and key.isprintable()):
        raise SettingsError("API_KEY=(hidden): it holds characters that no key has; copy it again.")
    settings = backends.with_settings(settings, "openai", base_url=f"{url}/v1", api_key=key)
    for group in backends.settings_groups():  # a bad value is named before anything is asked
        settings.group(group)
    return settings.model_copy(update={"llm_fallback": ()})


def reword(error: str) -> str:
    """An error of the openai backend with its variables named as the command line names what it asks with."""
    return error.replace("OPENAI_BASE_URL", "--url").replace("OPENAI_API_KEY", "API_KEY")


def list_models(url: str, settings: Settings) -> list[str]:
    """The models that the server lists. Raises ModelError kinds."""
    try:
        return backends.list_models("openai", settings)
    except (ModelConnectionError, ModelTimeoutError) as error:
        raise ModelConnectionError(f"--url={url}: nobody answers there. {START_REMEDY}") from error
    except ModelAuthenticationError as error:
        raise ModelAuthenticationError(
            f"--url={url}: the server takes no such key. Set API_KEY to one of its."
        ) from error
    except (ModelNotFoundError, ModelAPIError) as error:
        raise ModelNotFoundError(
            f"--url={url}: who answers there has no OpenAI-compatible API. {START_REMEDY}"
        ) from error


def read_health(url: str) -> dict[str, Any]:
    """The answer of the server's `/health`. Raises ModelConnectionError, ModelNotFoundError."""
    import httpx2  # here: one command needs it

    try:
        answer = httpx2.get(f"{url}/health", timeout=HEALTH_TIMEOUT).json()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise ModelConnectionError(f"--url={url}: nobody answers there. {START_REMEDY}") from error
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("backends"), list):
        raise ModelNotFoundError(f"--url={url}: who answers there is no server of ours. {START_REMEDY}")
    return answer
