"""What gateways report is believed with their signature alone; twice, late and in any order it tells the same truth."""

import base64
import hashlib
import hmac
import itertools
import json
import time
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client

from core.messaging import courier
from core.messaging.courier import send_waiting
from core.messaging.models import Channel, PatientMessage, State, Suppression
from core.messaging.twilio import is_twilios
from core.tenancy.context import platform_scope
from tests.core.messaging.told import EMAIL, PHONE, both, nobody_asks, told
from tests.factories.letters import Letterbox
from tests.factories.world import Place

SECRET, TOKEN, APP_SECRET = "between-us", "a-twilio-token", "an-app-secret"


@pytest.fixture(autouse=True)
def no_visits(monkeypatch: Any, settings: Any) -> None:
    nobody_asks(monkeypatch)
    settings.HMS_MESSAGE_GATEWAY_SECRETS = {"sms": SECRET, "whatsapp": SECRET, "email": SECRET}


def gateway_says(channel: str = "sms", at: int | None = None, secret: str = SECRET, **said: Any) -> int:
    """Signed by the page's words alone (docs/messages.md), not by our code."""
    body, at = json.dumps(said).encode(), int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-HMS-Signature": f"t={at},v1={digest}"}
    return Client().post(f"/webhooks/messages/{channel}/", body, content_type="application/json", headers=headers).status_code


def twilio_says(settings: Any, query: str = "", token: str = TOKEN, **form: str) -> int:
    address = f"/webhooks/messages/sms/{query}"
    said = settings.HMS_BASE_URL + address + "".join(name + form[name] for name in sorted(form))
    digest = base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()
    headers = {"X-Twilio-Signature": digest}
    kind = "application/x-www-form-urlencoded"
    return Client().post(address, urlencode(form), content_type=kind, headers=headers).status_code


def meta_says(*statuses: dict[str, Any], secret: str = APP_SECRET, **value: Any) -> int:
    body = json.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": {"statuses": list(statuses), **value}}]}],
        }
    ).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}"}
    return Client().post("/webhooks/messages/whatsapp/", body, content_type="application/json", headers=headers).status_code


def sent(place: Place, *channels: Channel) -> PatientMessage:
    return told(place.clinic, *(channels or (Channel.SMS,)), state=State.SENT)


# --- Order ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_in_any_order_and_twice_the_last_state_stands(order: tuple[str, ...], ledger: Any, riverside: Place) -> None:
    kept = told(riverside.clinic, Channel.SMS, state=State.UNKNOWN)
    for state in (*order, *order):
        assert gateway_says(id=str(kept.pk), state=state) == 204
    message, kept = both(kept)
    assert (message.state, kept.state) == ("read", "read")
    assert kept.reported_at and not message.addresses and not message.contents


def test_a_failure_after_delivery_is_older_news(ledger: Any, riverside: Place) -> None:
    kept = sent(riverside)
    gateway_says(id=str(kept.pk), state="delivered")
    gateway_says(id=str(kept.pk), state="failed")
    assert [one.state for one in both(kept)] == ["delivered", "delivered"]


def test_delivery_after_a_reported_failure_is_the_truth(ledger: Any, riverside: Place) -> None:
    kept = sent(riverside)
    gateway_says(id=str(kept.pk), state="failed", error="30003")
    assert [one.state for one in both(kept)] == ["failed", "failed"]
    assert both(kept)[1].cause == "sms: reported 30003"
    gateway_says(id=str(kept.pk), state="delivered")
    assert [one.state for one in both(kept)] == ["delivered", "delivered"]


def test_a_receipt_that_overtakes_the_answer_is_not_overwritten(
    by_twilio: Letterbox, ledger: Any, riverside: Place, settings: Any, monkeypatch: Any
) -> None:
    """Twilio reports while we still wait for its answer."""
    kept = told(riverside.clinic, Channel.SMS)
    handing_over = courier.send

    def overtaken(*given: Any) -> None:
        handing_over(*given)
        assert twilio_says(settings, f"?id={kept.pk}", MessageSid="SM1", MessageStatus="delivered") == 204

    monkeypatch.setattr(courier, "send", overtaken)
    send_waiting()
    message, kept = both(kept)
    assert (message.state, kept.state) == ("delivered", "delivered")
    assert kept.sent_at


def test_a_reported_failure_is_followed_by_the_next_channel_once(mail: Letterbox, ledger: Any, riverside: Place) -> None:
    kept = sent(riverside, Channel.SMS, Channel.EMAIL)
    for _ in range(3):
        gateway_says(id=str(kept.pk), state="failed", error="30003")
    assert both(kept)[1].state == "waiting"
    send_waiting()
    mail.wait_for(EMAIL)
    assert gateway_says(id=str(kept.pk), state="failed", error="30003") == 204
    assert send_waiting() == 0
    message, kept = both(kept)
    assert (message.state, kept.state, kept.channel) == ("sent", "sent", "email")
    assert len(mail.arrived) == 1


def test_news_of_a_message_that_is_none_of_ours_changes_nothing(ledger: Any, riverside: Place) -> None:
    kept = sent(riverside)
    assert gateway_says(id=str(uuid4()), state="read") == 204
    assert gateway_says("whatsapp", id=str(kept.pk), state="read") == 204
    assert both(kept)[0].state == "sent"


# --- Signatures -------------------------------------------------------------------------------------------------------------
def test_without_the_signature_nothing_is_believed(ledger: Any, riverside: Place, settings: Any) -> None:
    kept = sent(riverside)
    assert gateway_says(secret="another", id=str(kept.pk), state="read") == 403
    assert gateway_says(at=int(time.time()) - 310, id=str(kept.pk), state="read") == 403
    assert gateway_says(at=int(time.time()) + 310, id=str(kept.pk), state="read") == 403
    assert Client().post("/webhooks/messages/sms/", b"{}", content_type="application/json").status_code == 403
    settings.HMS_MESSAGE_GATEWAY_SECRETS = {"sms": ""}
    assert gateway_says(secret="", id=str(kept.pk), state="read") == 403, "a channel without a secret takes no reports"
    assert both(kept)[0].state == "sent"


def test_what_is_signed_and_makes_no_sense_is_told_so(ledger: Any, riverside: Place) -> None:
    assert gateway_says(id="nonsense", state="read") == 400
    assert gateway_says(id=str(uuid4()), state="eaten") == 400
    assert gateway_says("pigeon", id=str(uuid4()), state="read") == 404


def test_twilios_signature_is_of_the_address_and_the_form(
    by_twilio: Letterbox, ledger: Any, riverside: Place, settings: Any
) -> None:
    kept, other = sent(riverside), sent(riverside)
    query = f"?id={kept.pk}"
    assert twilio_says(settings, query, token="another", MessageSid="SM1", MessageStatus="delivered") == 403
    assert twilio_says(settings, query, MessageSid="SM1", MessageStatus="sending") == 204
    assert both(kept)[0].state == "sent"
    assert twilio_says(settings, query, MessageSid="SM1", MessageStatus="delivered") == 204
    assert both(kept)[1].state == "delivered" and both(other)[1].state == "sent"
    assert gateway_says(id=str(other.pk), state="read") == 403, "with Twilio no other signature counts"


def test_twilios_signature_is_the_one_of_its_documentation(settings: Any) -> None:
    """The example of its libraries."""
    settings.HMS_TWILIO = {**settings.HMS_TWILIO, "token": "12345"}
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }
    assert is_twilios("https://mycompany.com/myapp.php?foo=1&bar=2", form, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")


def test_metas_statuses_come_many_at_once(by_cloud_api: Letterbox, ledger: Any, riverside: Place) -> None:
    first, second = sent(riverside, Channel.WHATSAPP), sent(riverside, Channel.WHATSAPP, Channel.EMAIL)
    read = {"id": "wamid.1", "status": "read", "timestamp": "1", "biz_opaque_callback_data": str(first.pk)}
    lost = {"id": "wamid.2", "status": "failed", "biz_opaque_callback_data": str(second.pk), "errors": [{"code": 131026}]}
    assert meta_says(read, lost, secret="another") == 403
    assert meta_says(read, lost) == 204
    assert both(first)[1].state == "read" and both(second)[1].state == "waiting"
    with platform_scope(reason="test"):
        assert list(Suppression.objects.values_list("channel", "reason")) == [("whatsapp", "bounce")]


def test_metas_question_is_answered_for_our_word(by_cloud_api: Letterbox) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    answer = Client().get("/webhooks/messages/whatsapp/", {**asked, "hub.verify_token": "our-word"})
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert Client().get("/webhooks/messages/whatsapp/", {**asked, "hub.verify_token": "guessed"}).status_code == 403


# --- STOP -------------------------------------------------------------------------------------------------------------------
def test_stop_holds_for_the_clinics_that_wrote_and_start_takes_it_back(
    by_twilio: Letterbox, ledger: Any, riverside: Place, hillcrest: Place, settings: Any
) -> None:
    sent(riverside)
    for _ in range(2):
        assert twilio_says(settings, From=PHONE, Body=" Stop. ", MessageSid="SM9") == 204
    with platform_scope(reason="test"):
        (row,) = Suppression.objects.all()
        assert (row.clinic_id, row.channel, row.reason) == (riverside.clinic.pk, "sms", "stop")
        assert PHONE not in row.digest
    kept, elsewhere = told(riverside.clinic, Channel.SMS), told(hillcrest.clinic, Channel.SMS)
    send_waiting()
    assert both(kept)[1].cause == "suppressed" and both(elsewhere)[1].state == "sent"
    assert twilio_says(settings, From=PHONE, Body="please don't stop", MessageSid="SM9") == 204
    twilio_says(settings, From=PHONE, Body="START", MessageSid="SM9")
    again = told(riverside.clinic, Channel.SMS)
    send_waiting()
    assert both(again)[1].state == "sent"


def test_stop_is_understood_on_whatsapp_and_from_a_gateway(by_cloud_api: Letterbox, ledger: Any, riverside: Place) -> None:
    sent(riverside, Channel.WHATSAPP)
    reply = {"from": PHONE.removeprefix("+"), "id": "wamid.3", "type": "text", "text": {"body": "STOP"}}
    assert meta_says(messages=[reply]) == 204
    sent(riverside)
    assert gateway_says(**{"from": PHONE, "text": "stop"}) == 204
    with platform_scope(reason="test"):
        assert sorted(Suppression.objects.values_list("channel", flat=True)) == ["sms", "whatsapp"]
