"""The tool `search_web`: a search of the web through a SearXNG of the user's own. Knows SearXNG's JSON."""

import json
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from settings import Settings
from tools.call import Run, ToolError
from tools.info import ToolContext
from tools.settings import ToolSettings

TITLE = "Search the web"
DESCRIPTION = "Searches the web and gives titles, addresses and short extracts of the pages that fit best."
NEEDS_APPROVAL = True
MAX_RESULTS = 8
MAX_BYTES = 2_000_000  # of an answer


class Arguments(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=500, description="the words to search for")


def availability_error(settings: Settings) -> str | None:
    """Why nothing can be searched; None where it can."""
    return None if settings.group(ToolSettings).searxng_url else "no SearXNG is named; set SEARXNG_URL to yours"


def build(settings: Settings, context: ToolContext) -> Run:
    """What asks the SearXNG of SEARXNG_URL."""
    group = settings.group(ToolSettings)

    async def run(arguments: Arguments) -> str:
        query = urlencode({"q": arguments.query, "format": "json"})
        return format_results(await _load(f"{group.searxng_url}/search?{query}", group.tools_seconds))

    return run


def format_results(body: bytes) -> str:
    """The best results of an answer. Raises ToolError for one that is not SearXNG's."""
    try:
        results = json.loads(body)["results"]
        lines = [_format(number, result) for number, result in enumerate(results[:MAX_RESULTS], 1)]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ToolError("SEARXNG_URL: what it answered is no result of a search.") from None
    return "\n\n".join(lines) or "Nothing found."


def _format(number: int, result: dict[str, Any]) -> str:
    parts = [f"[{number}] {result.get('title') or ''}", str(result["url"]), str(result.get("content") or "")]
    return "\n".join(part.strip() for part in parts if part.strip())


async def _load(url: str, seconds: float) -> bytes:
    import httpx2  # here: no other tool needs it

    try:
        async with (
            httpx2.AsyncClient(timeout=seconds) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as response,
        ):
            if response.status_code == 403:
                raise ToolError("SEARXNG_URL: it does not answer in JSON; add json to search.formats in settings.yml.")
            if not response.is_success:
                raise ToolError(f"SEARXNG_URL: it answered {response.status_code} {response.reason_phrase}.")
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise ToolError(f"SEARXNG_URL: it answered with more than {MAX_BYTES:,} bytes.")
            return bytes(content)
    except httpx2.HTTPError as error:
        raise ToolError(f"SEARXNG_URL: it cannot be reached ({type(error).__name__}).") from None
