"""Gateways are other systems like all: one client and one breaker, which holds for messages what messages need."""

import socketserver
import threading
from contextlib import suppress
from typing import Any

import pytest

from core.messaging import wire
from core.messaging.courier import send_waiting
from core.messaging.models import Channel, Kind, State
from core.messaging.progress import reported
from core.messaging.services import post
from core.messaging.wire import PACE, NotSent
from core.outbound.breakers import LIMIT, Breaker
from core.outbound.client import Client
from core.outbound.errors import OutboundTrouble
from core.outbound.registry import registry
from core.outbound.systems import System
from core.redis import RedisLink
from core.tenancy.context import platform_scope
from tests.core.messaging.told import EMAIL, PHONE, both, nobody_asks, told
from tests.factories.channels import breaker_of, seconds_left
from tests.factories.endpoints import Endpoint, Told, endpoints
from tests.factories.letters import Letterbox
from tests.factories.ports import free_port
from tests.factories.redis_server import redis_server
from tests.factories.world import Place


@pytest.fixture(autouse=True)
def no_visits(monkeypatch: Any) -> None:
    nobody_asks(monkeypatch)


def post_to(*ends: Endpoint) -> bool:
    return wire.post(wire.gateway(Channel.SMS, [one.url for one in ends]), "", b"{}", {}).is_taken


@pytest.mark.parametrize("path", ["/sms", "/sms/", "/sms/?account=7"])
def test_an_address_is_called_as_it_is_written(path: str) -> None:
    with endpoints(1) as (end,):
        wire.post(wire.gateway(Channel.SMS, [end.url + path]), "", b"{}", {})
        assert [one.path for one in end.taken] == [path]


def test_of_several_addresses_a_dead_one_is_passed_over_and_then_left_alone(settings: Any, ledger: Any) -> None:
    with endpoints(1) as (alive,):
        dead = free_port()
        settings.HMS_MESSAGE_GATEWAYS = {"sms": f"http://127.0.0.1:{dead}/ {alive.url}/send", "whatsapp": ""}
        with platform_scope(reason="test"):
            for _ in range(LIMIT * 2 + 2):
                post(kind=Kind.NOTICE, to={Channel.SMS: PHONE}, channels=[Channel.SMS], subject="s", text="t")
        send_waiting()
        assert {row.state for row in ledger()} == {State.SENT} and len(alive.taken) == LIMIT * 2 + 2
        figures = {one.endpoint: one for one in registry.figures() if one.system == "messages.sms"}
        sick = figures[f"127.0.0.1:{dead}"]
        assert sick.is_open and sick.outcomes == {"no connection": LIMIT}


@pytest.mark.parametrize("status", [500, 502, 503])
def test_what_may_have_gone_out_is_given_to_no_other_address(status: int) -> None:
    """503 says by its meaning that nothing was done; of a message nobody relies on that."""
    with endpoints(2) as ends:
        for one in ends:
            one.answer = lambda _: Told(status, {"Retry-After": "7"} if status == 503 else {})
        with pytest.raises(NotSent) as found:
            post_to(*ends)
        assert not found.value.certain and sum(len(one.taken) for one in ends) == 1
        assert found.value.wait == (7 if status == 503 else 0)


@pytest.mark.parametrize(
    "told_by,taken",
    [
        (Told(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), True),
        (Told(202, body=b"x" * (wire.MOST + 1)), True),
        (Told(400, body=b"x" * (wire.MOST + 1)), False),
    ],
    ids=["packed", "large", "large refusal"],
)
def test_the_status_counts_whatever_comes_behind_it(told_by: Told, taken: bool) -> None:
    with endpoints(1) as (end,):
        end.answer = lambda _: told_by
        if taken:
            assert post_to(end)
            return
        with pytest.raises(NotSent) as found:
            post_to(end)
        assert found.value.certain


def test_nobody_listens_or_the_name_is_none_is_surely_not_sent() -> None:
    for address in (f"http://127.0.0.1:{free_port()}/", "http://no-such-host.invalid/", "ftp://127.0.0.1/"):
        with pytest.raises(NotSent) as found:
            wire.post(wire.gateway(Channel.SMS, [address]), "", b"{}", {})
        assert found.value.certain and found.value.tried, address


def test_a_connection_that_the_gateway_closes_meanwhile_loses_no_message() -> None:
    """The gateway ends each connection after its answer without saying so."""
    with endpoints(1) as (end,):
        for number in range(30):
            assert post_to(end)
            for one in list(end._sockets):
                with suppress(OSError):  # it has ended by itself
                    one.shutdown(2)
            end.wait_for(number + 1)
        assert len(end.taken) == 30


def test_too_much_by_a_code_of_its_own_leaves_whatsapp_alone(by_cloud_api: Letterbox, ledger: Any, riverside: Place) -> None:
    by_cloud_api.refuse, by_cloud_api.answer = 400, b'{"error": {"code": 131056}}'
    kept = told(riverside.clinic, Channel.WHATSAPP)
    send_waiting()
    assert both(kept)[1].cause == "whatsapp: HTTP 400 131056"
    assert 29 < seconds_left(Channel.WHATSAPP) <= PACE.first
    later = told(riverside.clinic, Channel.WHATSAPP)
    send_waiting()
    message, kept = both(later)
    assert (message.state, message.attempts, kept.cause, by_cloud_api.tried) == ("waiting", 0, "whatsapp: left alone", 1)


def test_a_channel_that_was_left_alone_is_not_the_last_one_tried(
    texts: Letterbox, by_cloud_api: Letterbox, ledger: Any, riverside: Place
) -> None:
    by_cloud_api.refuse = 429
    told(riverside.clinic, Channel.WHATSAPP)
    send_waiting()
    texts.refuse = 400
    kept = told(riverside.clinic, Channel.SMS, Channel.WHATSAPP)
    send_waiting()
    message, kept = both(kept)
    assert (message.channel, kept.channel, message.state) == ("sms", "sms", "waiting")
    assert kept.cause == "sms: HTTP 400; whatsapp: left alone"


def test_a_mail_server_that_is_away_is_left_alone_like_a_gateway(settings: Any, ledger: Any) -> None:
    options = {"host": "127.0.0.1", "port": free_port(), "timeout": 5}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
    with platform_scope(reason="test"):
        for _ in range(LIMIT + 2):
            post(kind=Kind.NOTICE, to={Channel.EMAIL: "ines@example.org"}, channels=[Channel.EMAIL], subject="s", text="t")
    send_waiting()
    assert isinstance(breaker_of(Channel.EMAIL), Breaker) and seconds_left(Channel.EMAIL) > 20
    rows = ledger()
    assert [row.state for row in rows] == [State.WAITING] * (LIMIT + 2), "nobody has seen them"
    assert [row.attempts for row in rows] == [1] * LIMIT + [0, 0]


class HangsUp(socketserver.BaseRequestHandler):
    """A mail server that ends each call before it has said a word."""


def test_a_mail_server_that_hangs_up_has_seen_nothing(settings: Any, texts: Letterbox, ledger: Any, riverside: Place) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), HangsUp) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        options = {"host": "127.0.0.1", "port": server.server_address[1], "timeout": 5}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        kept = told(riverside.clinic, Channel.EMAIL, Channel.SMS)
        send_waiting()
        server.shutdown()
    texts.wait_for(PHONE)
    kept = both(kept)[1]
    assert (kept.state, kept.channel, kept.cause) == ("sent", "sms", "email: SMTPServerDisconnected")


def test_why_it_goes_no_more_by_a_channel_stays_in_its_cause(
    settings: Any, texts: Letterbox, by_cloud_api: Letterbox, mail: Letterbox, ledger: Any, riverside: Place
) -> None:
    by_cloud_api.refuse, by_cloud_api.answer = 400, b'{"error": {"code": 131026}}'
    kept = told(riverside.clinic, Channel.WHATSAPP, Channel.SMS, Channel.EMAIL)
    send_waiting()
    assert reported(kept.pk, Channel.SMS, State.FAILED, code="30003")
    send_waiting()
    mail.wait_for(EMAIL)
    kept = both(kept)[1]
    assert (kept.state, kept.channel) == ("sent", "email")
    assert kept.cause == "whatsapp: HTTP 400 131026; sms: reported 30003"


def test_processes_leave_a_gateway_alone_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of them has learned holds for the other, through Redis."""
    with redis_server() as server, endpoints(1) as (end,):
        end.answer = lambda _: Told(500)
        system = wire.gateway(Channel.SMS, [end.url])
        one, other = Client(system), Client(system)
        for client in (one, other):
            client.endpoints[0].breaker._redis = RedisLink(server.client)
        for _ in range(LIMIT):
            with pytest.raises(OutboundTrouble, match="HTTP 500"):
                one.request("POST", json={})
        with pytest.raises(OutboundTrouble, match="circuit open") as refused:
            other.request("POST", json={})
        assert 20 < refused.value.wait <= PACE.first * 1.25 and len(end.taken) == LIMIT


def test_what_one_try_may_have_done_no_later_one_makes_undone() -> None:
    """A request that got no answer from one endpoint and no connection to the other is not surely undone."""
    with endpoints(2) as (first, second):
        client = Client(System("lab", "lab", (second.url, first.url), guard=wire.ANYTHING, attempts=2))

        def answers(_: Any) -> Told:
            second.kill()
            return Told(500)

        first.answer = answers
        with pytest.raises(OutboundTrouble) as trouble:
            client.request("POST", json={}, idempotency_key="k")
        assert not trouble.value.certain
