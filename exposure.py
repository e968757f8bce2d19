"""Whether anybody could spend the owner's money: a paid backend, reached from elsewhere, and nobody is asked who he is.

And whether somebody sits at this machine. Knows settings and addresses; nothing of pages, keys or logins.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import backends
from settings import Settings

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # what a proxy adds


def is_remote(address: str) -> bool:
    """Whether a server at this address is reached from other machines."""
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return address not in {"", "localhost"}


def is_local(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from the machine that serves it: it listens there alone, and no proxy is in between."""
    names = {name.lower(): value for name, value in headers.items()}
    if is_remote(host) or any(name in names for name in FORWARDED):
        return False
    return not is_remote(urlsplit(f"//{names.get('host', '')}").hostname or "")


def exposure_warning(settings: Settings, address: str, what: str, remedy: str) -> str | None:
    """A warning in plain words that `what` is open to everybody; None where nobody pays, or nobody gets there."""
    if not is_remote(address):  # first: a page asks at every run, and readiness looks at files
        return None
    ready = [name for name, problem in backends.status(settings) if problem is None]
    metered = [name for name in ready if backends.is_metered(name, settings)]
    if not metered:
        return None
    return (
        f"Everybody who reaches this server ({address}) can use {what} and spend your money at {', '.join(metered)}. "
        f"{remedy}"
    )
