"""A web page loaded for a tool: from hosts that are allowed, and only from the address that was checked, within limits.

Each step of a redirect is checked like the first. Proxies of the environment are not used: behind one nobody knows the
address that is asked.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from tools.call import ToolError
from tools.host import HostPattern
from tools.web.address import is_public

if TYPE_CHECKING:
    import httpx2

MAX_REDIRECTS = 5
HEADERS = {"User-Agent": "llm-assistant", "Accept-Encoding": "identity"}
MAX_PORT = 65_535
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Names:
    """What is loaded, and the variables that bound it, for messages; `accept`: the kinds that are wanted."""

    thing: str = "page"
    hosts: str = "TOOLS_HOSTS"
    most: str = "TOOLS_BYTES"
    accept: str = "text/html,text/*;q=0.9,*/*;q=0.5"


@dataclass(frozen=True)
class Page:
    """What a server answered: `url` is where that was in the end, `kind` the media type; `charset` may be untold."""

    url: str
    kind: str
    charset: str | None
    content: bytes


PAGE = Names()


async def load_page(
    url: str, allowed: tuple[HostPattern, ...], max_bytes: int, seconds: float, names: Names = PAGE
) -> Page:
    """The page at an address, after its redirects. Raises ToolError for what is not allowed, or cannot be had."""
    import httpx2  # here: no other tool needs it

    headers = {**HEADERS, "Accept": names.accept}
    async with httpx2.AsyncClient(trust_env=False, timeout=seconds, headers=headers) as client:
        for _ in range(MAX_REDIRECTS + 1):
            try:
                result = await _load(client, _parse(url), allowed, max_bytes, names)
            except httpx2.HTTPError as error:
                raise ToolError(f"{url}: the server cannot be reached ({type(error).__name__}).") from None
            if isinstance(result, Page):
                return result
            url = result
    raise ToolError(f"{url}: more than {MAX_REDIRECTS} redirects.")


def _parse(url: str) -> "httpx2.URL":
    import httpx2

    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise ToolError(f"{url}: this is no web address. Write https://host/path.") from None
    if parsed.scheme not in PORTS or not parsed.host:
        raise ToolError(f"{url}: only http and https addresses are read.")
    if (parsed.port or 0) > MAX_PORT:
        raise ToolError(f"{url}: there is no port {parsed.port}.")
    if parsed.userinfo:
        raise ToolError("An address with a user name or a password in it is not read.")
    return parsed


async def _load(
    client: "httpx2.AsyncClient", url: "httpx2.URL", allowed: tuple[HostPattern, ...], max_bytes: int, names: Names
) -> Page | str:
    """The page, or the address that it redirects to."""
    port = url.port or PORTS[url.scheme]
    host = url.raw_host.decode().rstrip(".").lower()
    address = await checked_address(host, port, allowed, names.hosts)
    request = client.build_request(
        "GET", url.copy_with(host=address), headers={"Host": url.netloc.decode()}, extensions={"sni_hostname": host}
    )
    response = await client.send(request, stream=True)
    try:
        location = response.headers.get("location")
        if response.is_redirect and location:
            return urljoin(str(url), location)
        return await _read(response, str(url), max_bytes, names)
    finally:
        await response.aclose()


async def checked_address(host: str, port: int, allowed: tuple[HostPattern, ...], variable: str = PAGE.hosts) -> str:
    """The address to connect to: DNS is asked once, and nobody asks it again. Raises ToolError."""
    matching = [pattern for pattern in allowed if pattern.matches(host, port)]
    if not matching:
        raise ToolError(f"{host}:{port} is not among the hosts that may be read ({variable}).")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ToolError(f"{host}: there is no such host.") from None
    addresses = [str(each[4][0]) for each in found]
    if any(pattern.is_address for pattern in matching):  # the operator wrote this very address
        return addresses[0]
    if not addresses or not all(map(is_public, addresses)):
        raise ToolError(f"{host} leads to a private address, which is not read.")
    return addresses[0]


async def _read(response: "httpx2.Response", url: str, max_bytes: int, names: Names) -> Page:
    if not response.is_success:
        raise ToolError(f"{url}: the server answered {response.status_code} {response.reason_phrase}.")
    if response.headers.get("content-encoding", "identity").lower() != "identity":  # a small one may unpack to anything
        raise ToolError(f"{url}: the server sends the {names.thing} compressed although that was not asked for.")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > max_bytes:
            raise ToolError(f"{url}: the {names.thing} is larger than {max_bytes:,} bytes ({names.most}).")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Page(url, kind, response.charset_encoding, bytes(content))
