"""Where a call comes from: the peer, or what a trusted proxy says of whom it speaks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORWARDED = "x-forwarded-for"
_MOST_HOPS = 32
_ONE_CUSTOMER = 64  # bits: who has one address of IPv6 has all that begin like it (RFC 6177)

# As proxies write it: an address, some with a port, IPv6 then in brackets.
_HOP = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([0-9.]+)(?::\d{1,5})?|([0-9A-Fa-f:.]+)", re.ASCII)


class Addresses:
    """Finds the address of a call. Whoever is no trusted proxy can write into the header what it likes."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = tuple(trusted_proxies)

    def of(self, peer: str, forwarded: Sequence[str | bytes]) -> Address | None:
        """The address of a call from ``peer`` (as the library writes it) with those values of the header.

        Behind trusted proxies it is the right-most that is not a proxy's: what stands left of it the caller wrote, so
        it is not even looked at. None: the peer has no address (a socket in the file system).
        """
        address = address_of_peer(peer)
        if address is None or not self._is_proxy(address):
            return address
        return self._forwarded(forwarded) or address

    def _forwarded(self, values: Sequence[str | bytes]) -> Address | None:
        """None where there is nothing to believe: no header, a malformed one, or one that names proxies only."""
        texts = [value for value in values if isinstance(value, str)]
        hops = ",".join(texts).rsplit(",", _MOST_HOPS)
        for hop in reversed(hops[-_MOST_HOPS:]):
            address = _address_of_hop(hop.strip(" \t"))
            if address is None or not self._is_proxy(address):
                return address
        return None

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._trusted_proxies)


def address_of_peer(peer: str) -> Address | None:
    """The address in the library's ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``; None in any other text."""
    family, _, rest = unquote(peer).partition(":")
    if family not in ("ipv4", "ipv6"):
        return None
    host = rest.rpartition(":")[0].strip("[]")
    return _address(host.partition("%")[0])  # an address of the link names the interface too


def holder_of(address: Address | None) -> str:
    """Under what the calls of an address are counted: itself, or the /64 of an IPv6 address."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _ONE_CUSTOMER), strict=False))
    return str(address)


def _address_of_hop(text: str) -> Address | None:
    parts = _HOP.fullmatch(text)
    return _address(next(filter(None, parts.groups()))) if parts is not None else None


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A listener of both families sees callers of IPv4 so (RFC 4291, 2.5.5.2): they are who they are on the other.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
