"""Whose request it is: the client's address behind so many proxies of our own, and the network it counts for."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

Network = IPv4Network | IPv6Network
LONGEST = 80  # characters of an entry
HOME_PREFIX = 64  # bits of an IPv6 address that one customer of a provider shares


def client_address(meta: Mapping[str, Any]) -> str:
    """The client as the outermost of HMS_TRUSTED_PROXIES saw it; what stands further left, anybody can write.

    Each proxy appends whom it was called by, so the client is that many entries from the right. Where that entry is no address,
    the nearest one to the right that is; else the peer itself. "" for a peer without an address (a Unix socket).
    """
    peer = str(meta.get("REMOTE_ADDR") or "")
    said = str(meta.get("HTTP_X_FORWARDED_FOR") or "")
    if said and settings.HMS_TRUSTED_PROXIES:
        for entry in said.split(",")[-settings.HMS_TRUSTED_PROXIES :]:
            if found := spelt(entry):
                return found
    return spelt(peer) or peer


def caller_in(scope: Mapping[str, Any]) -> str:
    """The address, as limits count it, of whoever a server's ASGI scope is of."""
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    peer = (scope.get("client") or ("",))[0]
    return counted(client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": b",".join(said).decode("latin-1")}))


@lru_cache(maxsize=4096)
def spelt(entry: str) -> str:
    """An address in its one spelling; "" for what is none."""
    found = parsed(entry) if len(entry) < LONGEST else None
    return str(found) if found else ""


def parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address in an entry of X-Forwarded-For, also with a port or brackets; None for anything else. IPv4 stays IPv4."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def network_of(address: str) -> Network | None:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 address lies in. None if it is no address."""
    found = parsed(address)
    if found is None:
        return None
    return ip_network((found, HOME_PREFIX if found.version == 6 else 32), strict=False)


def counted(address: str) -> str:
    """The address as counters know it: IPv6 by its /64, so that changing the rest of it helps nobody."""
    network = network_of(address)
    if network is None:
        return address
    return str(network) if network.version == 6 else str(network.network_address)
