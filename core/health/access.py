"""Who may see details: operators, whoever has the monitoring token, and for metrics the addresses of a list."""

import hmac
from functools import cache
from ipaddress import ip_network

from django.conf import settings

from core.accounts.roles import Role
from core.requests import HMSRequest
from core.security.proxies import Network, parsed

OPERATORS = frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN})
SHORTEST = 32  # characters of a token


def has_token(request: HMSRequest) -> bool:
    """Does it bring `Authorization: Bearer` with HMS_MONITORING_TOKEN?"""
    scheme, _, given = str(request.META.get("HTTP_AUTHORIZATION", "")).partition(" ")
    token = settings.HMS_MONITORING_TOKEN
    if len(token) < SHORTEST or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), token.encode())


def is_listed(request: HMSRequest) -> bool:
    """Does it come from an address of HMS_METRICS_ALLOW? Behind our proxies that is the client's, not the proxy's."""
    address = parsed(str(request.META.get("REMOTE_ADDR") or ""))
    return address is not None and any(address in network for network in networks(tuple(settings.HMS_METRICS_ALLOW)))


@cache
def networks(entries: tuple[str, ...]) -> tuple[Network, ...]:
    """Raises ValueError for what is no address and no network."""
    return tuple(ip_network(entry.strip()) for entry in entries)


def is_operator(request: HMSRequest) -> bool:
    """A person with the role, signed in by whatever means; or a machine with the token (core.health.middleware)."""
    if request.watches:
        return True
    actor = request.actor
    return actor is not None and actor.scopes is None and bool(actor.roles & OPERATORS)
