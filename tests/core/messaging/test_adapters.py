"""Servers on loopback in the place of Twilio, of WhatsApp's Cloud API and of a gateway: what they are sent, and their troubles."""

import base64
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.utils import timezone

from core.messaging import wire
from core.messaging.courier import send_waiting
from core.messaging.models import Channel, Kind, OutgoingMessage, State, Suppression
from core.messaging.services import post
from core.messaging.wire import PACE
from core.outbound.breakers import LIMIT
from core.tenancy.context import platform_scope
from tests.core.messaging.told import EMAIL, PHONE, both, nobody_asks, told
from tests.factories.channels import breaker_of, forget_troubles, pause_is_over, seconds_left
from tests.factories.letters import Letterbox
from tests.factories.world import Place


@pytest.fixture(autouse=True)
def no_visits(monkeypatch: Any) -> None:
    nobody_asks(monkeypatch)


@pytest.fixture
def slow(texts: Letterbox) -> Iterator[threading.Event]:
    """The gateway answers when the test lets it."""
    texts.slow = threading.Event()
    yield texts.slow
    texts.slow.set()


def suppressions() -> list[tuple[str, str]]:
    with platform_scope(reason="test"):
        return sorted(Suppression.objects.filter(lifted_at=None).values_list("channel", "reason"))


# --- What they are sent -----------------------------------------------------------------------------------------------------
def test_twilio_gets_its_form(by_twilio: Letterbox, ledger: Any, riverside: Place, settings: Any) -> None:
    kept = told(riverside.clinic, Channel.SMS)
    send_waiting()
    letter = by_twilio.wait_for(PHONE)
    assert letter["path"] == "/2010-04-01/Accounts/AC0123/Messages.json"
    assert base64.b64decode(letter["authorization"].removeprefix("Basic ")) == b"AC0123:a-twilio-token"
    assert letter["from"] == "+15005550006"
    assert letter["callback"] == f"{settings.HMS_BASE_URL}/webhooks/messages/sms/?id={kept.pk}"
    message, kept = both(kept)
    assert (message.state, kept.state, kept.channel) == ("sent", "sent", "sms")
    assert kept.sent_at and message.contents  # of use until it has arrived: the next channel may be needed


def test_twilio_is_told_no_address_that_it_can_t_reach(by_twilio: Letterbox, ledger: Any, riverside: Place, settings: Any) -> None:
    settings.HMS_BASE_URL = "http://127.0.0.1:8000"
    told(riverside.clinic, Channel.SMS)
    send_waiting()
    assert by_twilio.wait_for(PHONE)["callback"] is None


def test_whatsapp_gets_its_template(by_cloud_api: Letterbox, ledger: Any, riverside: Place) -> None:
    kept = told(riverside.clinic, Channel.WHATSAPP)
    send_waiting()
    letter = by_cloud_api.wait_for(PHONE.removeprefix("+"))
    assert letter["path"] == "/v23.0/10550/messages" and letter["authorization"] == "Bearer a-meta-token"
    assert (letter["messaging_product"], letter["type"]) == ("whatsapp", "template")
    assert letter["biz_opaque_callback_data"] == str(kept.pk)
    template = letter["template"]
    assert (template["name"], template["language"]) == ("appointment_reminder", {"code": "en"})
    assert template["components"][0]["parameters"][0] == {"type": "text", "text": "Riverside Practice"}


def test_free_words_are_not_for_whatsapp(by_cloud_api: Letterbox, texts: Letterbox, ledger: Any) -> None:
    with platform_scope(reason="test"):
        to = {Channel.WHATSAPP: PHONE, Channel.SMS: PHONE}
        post(kind=Kind.CODE, to=to, channels=[Channel.WHATSAPP, Channel.SMS], subject="s", text="123 456")
    send_waiting()
    texts.wait_for(PHONE)
    assert by_cloud_api.tried == 0 and ledger()[0].cause == "whatsapp: no template"


def test_an_e_mail_has_both_forms(mail: Letterbox, ledger: Any, riverside: Place) -> None:
    told(riverside.clinic, Channel.EMAIL)
    send_waiting()
    letter = mail.wait_for(EMAIL)
    assert letter["subject"] == "Your visit on Monday 4 May 2026"
    assert "14:30" in letter["text"] and "<b>14:30</b>" in letter["html"]


# --- Their troubles ---------------------------------------------------------------------------------------------------------
def test_an_address_that_stopped_or_is_none_is_not_written_to_again(
    by_twilio: Letterbox, mail: Letterbox, ledger: Any, riverside: Place
) -> None:
    by_twilio.refuse, by_twilio.answer = 400, json.dumps({"code": 21610, "message": "unsubscribed"}).encode()
    kept = told(riverside.clinic, Channel.SMS, Channel.EMAIL)
    send_waiting()
    mail.wait_for(EMAIL)
    kept = both(kept)[1]
    assert (kept.state, kept.channel, kept.cause) == ("sent", "email", "sms: HTTP 400 21610")
    assert suppressions() == [("sms", "stop")]
    told(riverside.clinic, Channel.SMS, Channel.EMAIL)
    send_waiting()
    assert by_twilio.tried == 1 and len(mail.arrived) == 2
    nowhere = told(riverside.clinic, Channel.SMS)
    send_waiting()
    assert [one.state for one in both(nowhere)] == ["failed", "failed"]
    assert both(nowhere)[1].cause == "suppressed" and not both(nowhere)[0].addresses


def test_a_mailbox_that_is_none_is_known(mail: Letterbox, ledger: Any, riverside: Place) -> None:
    mail.refuse_recipient = True
    kept = told(riverside.clinic, Channel.EMAIL)
    send_waiting()
    message, kept = both(kept)
    assert (message.state, kept.state, kept.cause, message.contents) == ("failed", "failed", "email: address refused", "")
    assert suppressions() == [("email", "bounce")]
    assert mail.tried == 0 and not breaker_of(Channel.EMAIL)._local.failures


@pytest.mark.parametrize("in_words", [False, True])
def test_a_429_is_left_alone_for_as_long_as_it_asks(in_words: bool, texts: Letterbox, ledger: Any, riverside: Place) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=121), usegmt=True)
    texts.refuse, texts.headers = 429, {"Retry-After": when if in_words else "120"}
    first = told(riverside.clinic, Channel.SMS)
    send_waiting()
    message, kept = both(first)
    assert (message.state, kept.state, message.attempts) == ("waiting", "waiting", 1)
    assert 110 < (message.due_at - timezone.now()).total_seconds() <= 121
    second = told(riverside.clinic, Channel.SMS)
    send_waiting()
    assert texts.tried == 1, "nobody else's message went there meanwhile"
    message, _ = both(second)
    assert (message.state, message.attempts, message.cause) == ("waiting", 0, "sms: left alone")
    assert 110 < (message.due_at - timezone.now()).total_seconds() <= 123
    forget_troubles()
    texts.refuse = 0
    with platform_scope(reason="test"):
        OutgoingMessage.objects.update(due_at=timezone.now())
    send_waiting()
    assert len(texts.arrived) == 2


def test_a_gateway_in_trouble_is_left_alone_and_the_next_channel_takes_over(
    texts: Letterbox, mail: Letterbox, ledger: Any, riverside: Place
) -> None:
    texts.refuse = 503
    with platform_scope(reason="test"):
        for _ in range(LIMIT):
            post(kind=Kind.NOTICE, to={Channel.SMS: PHONE}, channels=[Channel.SMS], subject="s", text="t")
    send_waiting()
    assert texts.tried == LIMIT
    assert 0 < seconds_left(Channel.SMS) <= PACE.first * 1.25
    kept = told(riverside.clinic, Channel.SMS, Channel.EMAIL)
    send_waiting()
    mail.wait_for(EMAIL)
    assert texts.tried == LIMIT
    assert both(kept)[1].cause == "sms: left alone" and both(kept)[1].state == "sent"
    pause_is_over(Channel.SMS)  # the pause is over: one more failure, and it is left alone for longer
    told(riverside.clinic, Channel.SMS)
    send_waiting()
    assert texts.tried == LIMIT + 1 and PACE.first * 1.4 < seconds_left(Channel.SMS) <= PACE.first * 2.5


def test_a_slow_gateway_is_given_up_and_the_message_not_sent_twice(
    slow: threading.Event, texts: Letterbox, mail: Letterbox, ledger: Any, riverside: Place, monkeypatch: Any
) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.3)
    kept = told(riverside.clinic, Channel.SMS, Channel.EMAIL)
    began = time.monotonic()
    send_waiting()
    assert time.monotonic() - began < 5
    message, kept = both(kept)
    assert (message.state, kept.state) == ("unknown", "unknown"), "it may have gone out"
    assert mail.arrived == [] and send_waiting() == 0


@pytest.mark.parametrize("first,taken", [(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", True), (b"HTTP/1.1 2", False)])
def test_a_gateway_that_drips_is_given_up_too(first: bytes, taken: bool, monkeypatch: Any) -> None:
    """Each byte comes within the time; all of them don't. What it has said by then counts."""
    over = threading.Event()

    class Drips(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(first)
            try:
                while not over.wait(0.05):
                    self.request.sendall(b"x")
            except OSError:
                return

    monkeypatch.setattr(wire, "SECONDS", 0.4)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drips) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        began = time.monotonic()
        try:
            to = wire.gateway(Channel.SMS, [f"http://127.0.0.1:{server.server_address[1]}/"])
            assert wire.post(to, "", b"{}", {}).is_taken == taken
        except wire.NotSent as error:
            assert not taken and not error.certain and breaker_of(Channel.SMS)._local.failures == 1
        over.set()
        server.shutdown()
    assert time.monotonic() - began < 3


def test_while_a_channel_is_away_a_message_loses_no_try(texts: Letterbox, ledger: Any, riverside: Place) -> None:
    texts.refuse, texts.headers = 429, {"Retry-After": "60"}
    told(riverside.clinic, Channel.SMS)
    send_waiting()
    kept, tried = told(riverside.clinic, Channel.SMS), texts.tried
    for _ in range(7):
        with platform_scope(reason="test"):
            OutgoingMessage.objects.update(due_at=timezone.now())
        send_waiting()
    message, kept = both(kept)
    assert (message.state, kept.state, message.attempts, texts.tried) == ("waiting", "waiting", 0, tried)


def test_an_expired_reminder_fails_in_the_clinics_list_too(texts: Letterbox, ledger: Any, riverside: Place) -> None:
    kept = told(riverside.clinic, Channel.SMS, wipe_at=timezone.now() - timedelta(seconds=1))
    assert send_waiting() == 0
    assert [(one.state, one.cause) for one in both(kept)] == [(State.FAILED, "expired")] * 2
    assert both(kept)[0].contents == ""
