"""Addresses on the network: which are public, whatever form they come in. Knows numbers; asks no DNS."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

NAT64 = IPv6Network("64:ff9b::/96")  # the last 32 bits are an IPv4 address
COMPATIBLE = IPv6Network("::/96")


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, and so is each one that it stands for."""
    try:
        return all(map(_is_public, _meant_by(ip_address(address))))
    except ValueError:  # with a zone, such as fe80::1%eth0, or no address
        return False


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _meant_by(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The address, or the IPv4 addresses within it and, where it is a tunnel's, the address too."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in NAT64 or address in COMPATIBLE:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        if address.scope_id is not None:
            raise ValueError(f"{address} is of one link")
        yield address
        yield from filter(None, [address.sixtofour, *(address.teredo or ())])
