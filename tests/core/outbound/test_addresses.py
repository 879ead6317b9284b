"""Which addresses are called: every way of writing a private one is refused, and what a name resolves to is what counts."""

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from core.outbound.addresses import ANYTHING, Guard, MalformedURL, Refused, is_public
from core.outbound.client import Client
from core.outbound.errors import AddressRefused
from core.outbound.systems import System
from tests.factories.endpoints import Told, endpoints

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:808:808::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
]  # fmt: skip
OLD_FORMS = ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.1", "0", "0x7f.1", "localhost"]
MALFORMED = [
    "", "example.org", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "http://example.org/", "https://",
    "https:///path", "https://me@example.org/", "https://me:pw@example.org/", "https://example.org/#part", "https://example.org:0/",
    "https://example.org:99999/", "https://example.org/a b", "https://example.org\\@127.0.0.1/", "https://example.org/\n",
    "https://exämple.org/", "https://example.org/" + "a" * 500, "https://[::1/",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_called(text: str) -> None:
    assert is_public(ip_address(text))
    assert Guard().allows(text, ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_no_other_address_is(text: str) -> None:
    assert not is_public(ip_address(text))
    assert not Guard().allows(text, ip_address(text))


@pytest.mark.parametrize("host", [*PRIVATE, *OLD_FORMS])
def test_a_private_address_is_refused_however_it_is_written(host: str) -> None:
    """By its form where it is an address, by the resolver's answer in any case."""
    if "%" in host:
        return  # no URL can hold it
    with pytest.raises((Refused, OSError)):
        Guard().addresses_of(host, 443)
    if host != "localhost":
        with pytest.raises((Refused, MalformedURL)):
            Guard().checked_url(f"https://[{host}]/" if ":" in host else f"https://{host}/")


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises((MalformedURL, Refused)):
        Guard().checked_url(url)


def test_an_operator_may_name_networks_and_hosts() -> None:
    guard = Guard.of(["10.20.0.0/16", "gateway.clinic.internal", "127.0.0.1"])
    assert guard.checked_url("http://10.20.3.4:8080/sms")
    assert guard.checked_url("http://gateway.clinic.internal/")
    assert guard.addresses_of("127.0.0.1", 80) == ["127.0.0.1"]
    assert guard.allows("x", ip_address("::ffff:10.20.0.1"))
    for url in ("http://10.21.0.1/", "http://example.org/"):
        with pytest.raises(MalformedURL):
            guard.checked_url(url)
    with pytest.raises(Refused):
        guard.checked_url("https://10.21.0.1/")
    assert ANYTHING.checked_url("http://192.168.0.1/")
    with pytest.raises(ValueError, match="no network"):
        Guard.of(["what ever"])


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[Any]:
    """The resolver answers with these lists, one after the other; the last one stays. Returns who was asked for."""
    asked: list[Any] = []
    original = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "rebinding.example.org":
            return original(host, port, *args, **kwargs)
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def _client(url: str, guard: Guard) -> Client:
    return Client(System("typed", "other", (url,), guard=guard, attempts=1, connect_seconds=1))


def test_a_name_that_points_inside_is_refused_at_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoints(1) as (inside,):
        _resolving(monkeypatch, ["127.0.0.1"])
        client = _client(f"http://rebinding.example.org:{inside.port}", Guard())
        with pytest.raises(AddressRefused):
            client.request("GET")
        assert inside.taken == []


def test_a_name_with_one_inner_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with endpoints(1) as (inside,):
        _resolving(monkeypatch, ["93.184.216.34", "127.0.0.1"])
        with pytest.raises(AddressRefused):
            _client(f"http://rebinding.example.org:{inside.port}", Guard()).request("GET")
        assert inside.taken == []


def test_a_name_that_answers_otherwise_the_second_time_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once for each connection, and the connection goes to what was judged."""
    with endpoints(1) as (inside,):
        asked = _resolving(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
        original, called = socket.create_connection, []

        def connect(address: Any, *args: Any, **kwargs: Any) -> Any:
            called.append(address[0])
            if address[0] == "93.184.216.34":
                raise ConnectionRefusedError
            return original(address, *args, **kwargs)

        monkeypatch.setattr(socket, "create_connection", connect)
        client = _client(f"http://rebinding.example.org:{inside.port}", Guard())
        with pytest.raises(Exception, match="no connection"):
            client.request("GET")
        assert (asked, called) == (["rebinding.example.org"], ["93.184.216.34"])
        with pytest.raises(AddressRefused):
            client.request("GET")
        assert inside.taken == []


def test_a_redirect_is_an_answer_and_nobody_follows_it() -> None:
    with endpoints(2) as (outside, inside):
        outside.answer = lambda _: Told(302, {"Location": f"{inside.url}/secrets"})
        answer = _client(outside.url, Guard.of(["127.0.0.1"])).request("GET")
        assert (answer.status, answer.ok) == (302, False)
        assert inside.taken == []


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve the name itself, where nobody judges it."""
    with endpoints(2) as (outside, proxy):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert _client(outside.url, Guard.of(["127.0.0.1"])).request("GET").ok
        assert proxy.taken == []
