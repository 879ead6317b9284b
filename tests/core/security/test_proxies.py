"""The client's address is the one that the outermost of our own proxies wrote, and no other."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from core.accounts.models import SignInThrottle
from core.accounts.throttle import note_failure
from core.middleware import RequestMiddleware
from core.security.proxies import counted
from core.tenancy.context import platform_scope


@pytest.mark.parametrize(
    ("proxies", "said", "address"),
    [
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        (2, "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        (2, "203.0.113.7", "203.0.113.7"),
        (3, "1.1.1.1,203.0.113.7 , 10.0.0.3,10.0.0.2", "203.0.113.7"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "[2001:db8::1]:443", "2001:db8::1"),
        (1, "203.0.113.7:5123", "203.0.113.7"),
        (1, "::ffff:203.0.113.7", "203.0.113.7"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "not an address", "127.0.0.1"),
        (1, "203.0.113.7, unknown", "127.0.0.1"),
        (2, "unknown, 10.0.0.2", "10.0.0.2"),
        (1, ",,,", "127.0.0.1"),
        (1, "1" * 5000, "127.0.0.1"),
        (1, "é\x00, 203.0.113.999", "127.0.0.1"),
        (1, None, "127.0.0.1"),
        (0, "203.0.113.7", "127.0.0.1"),
    ],
)
def test_the_address_of_a_request(settings: Any, proxies: int, said: str | None, address: str) -> None:
    settings.HMS_TRUSTED_PROXIES = proxies
    request: Any = RequestFactory().get("/", **{"HTTP_X_FORWARDED_FOR": said} if said is not None else {})
    RequestMiddleware(lambda request: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == address
    assert request.peer == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_ipv6_counts_by_the_network_of_one_customer(address: str, key: str) -> None:
    assert counted(address) == key


def test_the_lockout_counts_ipv6_by_its_network(world: Any) -> None:
    for last in range(3):
        note_failure(f"somebody{last}@example.org", f"2001:db8:1:2::{last}")
    with platform_scope(reason="test"):
        assert sorted(SignInThrottle.objects.values_list("failures", flat=True)) == [1, 1, 1, 3]
