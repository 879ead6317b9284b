"""Which addresses may be called: the public ones, and what an operator has named.

A name is judged by what it resolves to at the moment of connecting, and the connection goes to the address that was judged:
a name that answers differently the second time gains nothing.
"""

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

LONGEST_URL = 500
# IPv4 inside IPv6. Behind NAT64 every public server looks like this, so the inner address is judged.
NAT64 = IPv6Network("64:ff9b::/96")


class Refused(ValueError):
    """The address may not be called."""


class MalformedURL(ValueError):
    """Not an address that HMS calls; the text says why, in words for people who write settings."""


def is_public(address: Address) -> bool:
    """Is it an address of the open internet? Tunnels (6to4, Teredo) are not: what is at their other end can't be seen."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.sixtofour is not None or address.teredo is not None or address.scope_id is not None or address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule for one kind of caller: public addresses, `networks`, and whatever the `names` resolve to."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    anything: bool = False

    @classmethod
    def of(cls, entries: Iterable[str]) -> "Guard":
        """From a setting: networks, addresses and host names. Raises ValueError for what is none of them."""
        networks: list[Network] = []
        names = set()
        for entry in (one.strip().lower() for one in entries):
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                if not entry or not all(part.replace("-", "").isalnum() for part in entry.split(".")):
                    raise ValueError(f"{entry!r} is no network and no host name.") from None
                names.add(entry)
        return cls(tuple(networks), frozenset(names))

    def names_host(self, host: str) -> bool:
        """Has an operator named it, as a name or as an address?"""
        address = _parsed(host)
        named = address is not None and any(address in one for one in self.networks)
        return self.anything or named or host.lower() in self.names

    def allows(self, host: str, address: Address) -> bool:
        inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        named = any(one in network for network in self.networks for one in (address, inner) if one is not None)
        return self.anything or named or host.lower() in self.names or is_public(address)

    def addresses_of(self, host: str, port: int) -> Sequence[str]:
        """The addresses to connect to, in the resolver's order. Raises Refused if one of them may not be called, OSError."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not texts or not all(self.allows(host, ip_address(text)) for text in texts):
            raise Refused("address refused")
        return texts

    def checked_url(self, url: str) -> str:
        """The URL if its form is one that may be called; no name is resolved. Raises MalformedURL, Refused."""
        parts = _split(url)
        host = parts.hostname or ""
        if parts.scheme != "https" and not self.names_host(host):
            raise MalformedURL("only https://")
        literal = _parsed(host)
        if literal is not None and not self.allows(host, literal):
            raise Refused("address refused")
        return url


ANYTHING = Guard(anything=True)  # what an operator wrote into the environment is called as it stands


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL or any(not "!" <= letter <= "~" for letter in url) or "\\" in url:
        raise MalformedURL("not a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise MalformedURL("not a URL") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise MalformedURL("not a URL")
    if parts.username is not None or parts.password is not None:
        raise MalformedURL("no name and password in a URL")
    if parts.fragment:
        raise MalformedURL("no fragment")
    return parts


def _parsed(host: str) -> Address | None:
    """The address that is written there, or None for a name. Also as old resolvers read it: 127.1, 0x7f000001, 2130706433."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
