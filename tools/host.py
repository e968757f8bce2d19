"""Hosts that a tool may reach, as the operator wrote them. Knows names and ports; asks no DNS."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.IGNORECASE)
PATTERN = re.compile(r"(?P<host>\*|(\*\.)?[^\s*/:\[\]]+|\[[0-9a-fA-F:.]+\])(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class HostPattern:
    """`example.org` is that host, `*.example.org` it and all below it, `*` any; with a port only that one."""

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The pattern that a text stands for. Raises ValueError."""
        match = PATTERN.fullmatch(text)
        host = match["host"].strip("[]").rstrip(".").lower() if match else ""
        if match is None or not (host == "*" or _is_address(host) or NAME.fullmatch(host.removeprefix("*."))):
            raise ValueError(f"{text} is no host: write example.org, *.example.org, * or an address such as [::1]:8000")
        return cls(host, int(match["port"]) if match["port"] else None)

    @property
    def is_address(self) -> bool:
        """Whether it names one address, which then may be a private one."""
        return _is_address(self.host)

    def matches(self, host: str, port: int) -> bool:
        """Whether a URL's host, in lower case, and port are meant."""
        if self.port is not None and self.port != port:
            return False
        if self.is_address or _is_address(host):
            return self.host == host or (self.host == "*" and not self.is_address)
        if self.host.startswith("*."):
            return host == self.host[2:] or host.endswith(self.host[1:])
        return self.host in {"*", host}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
