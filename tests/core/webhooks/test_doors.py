"""Webhooks through the API and in the administration: the secret is told once, and who may not is refused."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from core.accounts import proofs
from core.accounts.roles import Role
from core.events.announcing import announce
from core.tenancy.context import clinic_scope
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from patients import events
from tests.factories.world import Place

MINE = {"name": "Laboratory system", "url": "https://lab.example.org/hms", "events": ["patient.changed", "appointment.booked"]}


def test_the_api_from_setting_up_to_sending_again(api: Any, riverside: Place) -> None:
    boss = api(riverside.users[Role.CLINIC_ADMIN])
    made = boss.post("webhooks", MINE)
    said = made.json()["data"]
    assert made.status_code == 201 and said["secret"].startswith("whsec_") and said["events"] == sorted(MINE["events"])
    path = f"webhooks/{said['id']}"
    shown = boss.get(path)
    assert "secret" not in shown.json()["data"] and said["secret"] not in boss.get("webhooks").content.decode()
    assert boss.patch(path, {"name": "Other"}, If_Match='"9"').status_code == 412
    changed = boss.patch(path, {"name": "Other", "is_active": True}, If_Match=shown["ETag"])
    assert (changed.status_code, changed.json()["data"]["name"]) == (200, "Other")
    new = boss.post(f"{path}/rotate-secret").json()["data"]
    assert new["secret"] != said["secret"] and new["old_secret_until"]
    ping = boss.post(f"{path}/ping")
    assert (ping.status_code, ping.json()["data"]["type"], ping.json()["data"]["state"]) == (202, "webhook.ping", "waiting")
    with clinic_scope(riverside.clinic, reason="test"):
        announce(events.CHANGED, riverside.patients[0].pk, patient=riverside.patients[0].pk)
    since = (timezone.now() - timedelta(hours=1)).isoformat()
    assert boss.post(f"{path}/replay", {"since": since}).json()["data"] == {"deliveries": 1}
    listed = boss.get(f"webhook-deliveries?webhook={said['id']}&state=waiting").json()["data"]
    assert {(one["type"], one["is_replay"]) for one in listed} == {("webhook.ping", False), ("patient.changed", True)}
    (replayed,) = (one for one in listed if one["is_replay"])
    for asked, body in ((f"{path}/replay", {"since": since}), (f"webhook-deliveries/{replayed['id']}/replay", {})):
        assert boss.post(asked, body).status_code == 409, "it waits to be sent again"
    with clinic_scope(riverside.clinic, reason="test"):
        WebhookDelivery.objects.filter(is_replay=True).update(state=WebhookDelivery.State.SUCCEEDED)
    again = boss.post(f"webhook-deliveries/{replayed['id']}/replay")
    assert again.status_code == 202 and again.json()["data"]["event"] == replayed["event"]
    assert boss.get(f"webhook-deliveries/{again.json()['data']['id']}").status_code == 200


def test_a_session_alone_sets_up_nothing_by_the_api(sign_in: Any, riverside: Place) -> None:
    """Who took it has no password; a token was given for one, and a key is told of by letter."""
    browser, path = sign_in(riverside.users[Role.CLINIC_ADMIN]), "/api/v2/webhooks"
    made = browser.post(path, MINE, content_type="application/json").json()["data"]
    session = browser.session
    session[proofs.PROVED] = 0
    session.save()
    refused = [
        browser.post(path, {**MINE, "name": "Another"}, content_type="application/json"),
        browser.patch(f"{path}/{made['id']}", {"url": "https://other.example.org/"}, content_type="application/json"),
        browser.post(f"{path}/{made['id']}/rotate-secret", {}, content_type="application/json"),
    ]
    codes = [(one.status_code, one.json()["error"]["details"][0]["code"]) for one in refused]
    assert codes == [(403, "proof_required")] * 3
    assert browser.get(f"{path}/{made['id']}").json()["data"]["url"] == MINE["url"]


@pytest.mark.parametrize("role", [Role.RECEPTIONIST, Role.DOCTOR, Role.PATIENT, Role.AUDITOR], ids=lambda role: role.value)
def test_others_set_up_nothing(api: Any, riverside: Place, role: Role) -> None:
    other = api(riverside.users[role])
    assert other.post("webhooks", MINE).status_code == 403
    assert other.get("webhooks").status_code == (200 if role == Role.AUDITOR else 403)


def test_what_is_wrong_is_named_field_by_field(api: Any, riverside: Place) -> None:
    answer = api(riverside.users[Role.CLINIC_ADMIN]).post("webhooks", {"name": "", "url": "https://10.0.0.1/", "events": ["x"]})
    found = {(one["field"], one["code"]) for one in answer.json()["error"]["details"]}
    assert answer.status_code == 400
    assert found == {("name", "required"), ("url", "address_refused"), ("events", "invalid_choice")}


def admin_page(client: Any, row: WebhookEndpoint, action: str) -> list[str]:
    """Run an action of the list; what it told."""
    listed = reverse("admin:core_webhookendpoint_changelist")
    answer = client.post(listed, {"action": action, "_selected_action": str(row.pk), "index": "0"})
    assert answer.status_code == 302
    return [str(one) for one in get_messages(answer.wsgi_request)]


def test_the_administration_tells_the_secret_once(sign_in: Any, riverside: Place) -> None:
    client = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    answer = client.post(reverse("admin:core_webhookendpoint_add"), MINE)
    assert answer.status_code == 302
    with clinic_scope(riverside.clinic, reason="test"):
        row = WebhookEndpoint.objects.get()
        secret = row.secret
    told = [str(one) for one in get_messages(answer.wsgi_request)]
    assert sum(secret in one for one in told) == 1
    client.get(reverse("admin:core_webhookendpoint_changelist"))
    page = reverse("admin:core_webhookendpoint_change", args=[row.pk])
    assert secret not in client.get(page).content.decode()
    assert client.post(page, {**MINE, "url": "http://lab.example.org/"}).status_code == 200
    assert client.post(page, {**MINE, "events": ["patient.registered"], "is_active": "on"}).status_code == 302
    assert any("1 ping" in one for one in admin_page(client, row, "ping"))
    new = admin_page(client, row, "rotate_secret")
    assert any("whsec_" in one for one in new) and all(secret not in one for one in new)
    admin_page(client, row, "replay_day")
    with clinic_scope(riverside.clinic, reason="test"):
        row.refresh_from_db()
        assert (row.events, row.old_secret) == (["patient.registered"], secret)
        delivery = WebhookDelivery.objects.get(name="webhook.ping")
        replayed = WebhookDelivery.objects.filter(is_replay=True).count()  # of the day in which the test's world was made
    listed = reverse("admin:core_webhookdelivery_changelist")
    client.post(listed, {"action": "replay", "_selected_action": str(delivery.pk), "index": "0"})
    with clinic_scope(riverside.clinic, reason="test"):
        assert WebhookDelivery.objects.filter(is_replay=True).count() == replayed + 1
