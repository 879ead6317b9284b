"""Behind a proxy the client's address is the one our proxy wrote, and no other."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from core.middleware import RequestMiddleware


@pytest.mark.parametrize(
    ("behind", "said", "address"),
    [
        (True, "203.0.113.7", "203.0.113.7"),
        (True, "1.1.1.1, 203.0.113.7", "203.0.113.7"),
        (True, "2001:db8::1", "2001:db8::1"),
        (True, "not an address", "127.0.0.1"),
        (True, None, "127.0.0.1"),
        (False, "203.0.113.7", "127.0.0.1"),
    ],
)
def test_the_address_of_a_request(settings: object, behind: bool, said: str | None, address: str) -> None:
    settings.HMS_BEHIND_PROXY = behind  # type: ignore[attr-defined]
    request = RequestFactory().get("/", headers={"X-Forwarded-For": said} if said else {})
    RequestMiddleware(lambda request: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == address
