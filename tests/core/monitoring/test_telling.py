"""Who is told of an alert, by which ways, and what happens when a way is closed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from core.accounts.actor import Actor
from core.accounts.roles import Role
from core.messaging import smtp
from core.monitoring.metrics import DEFAULTS
from core.monitoring.standing import Event, News
from core.monitoring.telling import FIRST_PAUSE, PATIENCE, Recipients, Teller, ring
from core.notifications.kinds import told
from core.notifications.models import Notification
from core.outbound.registry import registry
from core.tenancy.context import platform_scope
from tests.factories.endpoints import Endpoint, Told, endpoints
from tests.factories.letters import Letterbox, smtp_server
from tests.factories.world import World

RULES = {rule.name: rule for rule in DEFAULTS}
NEWS = News(Event.RAISED, RULES["cpu"], "", "web-1:8000", 85.0, 91.25, "", 90.0)


@dataclass
class Desk:
    """A teller whose clock stands until it is moved, and where its news arrive."""

    mail: Letterbox
    hook: Endpoint
    now: float = 0.0
    teller: Teller = field(init=False)

    def __post_init__(self) -> None:
        self.teller = Teller(Recipients(), lambda: self.now)

    def tells(self, *news: News) -> None:
        self.teller.tell(news)
        self.teller.try_all()

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.teller.try_all()


@pytest.fixture
def desk(settings: Any) -> Iterator[Desk]:
    smtp.reset()
    with smtp_server() as mail, endpoints(1) as (hook,):
        options = {"host": "127.0.0.1", "port": mail.port, "timeout": 10}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        settings.HMS_OPERATORS = ["ops@hms.test", "on-call@hms.test"]
        settings.HMS_ALERT_WEBHOOK_URL, settings.HMS_ALERT_WEBHOOK_SECRET = hook.url, "s" * 40
        yield Desk(mail, hook)
    registry.forget()
    smtp.reset()


def test_by_mail_and_webhook(desk: Desk) -> None:
    desk.tells(NEWS)
    assert [one["to"] for one in desk.mail.arrived] == ["ops@hms.test", "on-call@hms.test"]
    letter = desk.mail.arrived[0]
    assert letter["subject"] == "[HMS] Alert: cpu (web-1:8000)"
    for line in ("Severity: Warning", "Rule: Processor at least 80 %, for 300 s", "Now: 85 %", "Worst: 91.2 %", "/admin/system/"):
        assert line in letter["text"], letter["text"]
    (taken,) = desk.hook.taken
    said = json.loads(taken.body)
    assert (said["event"], said["rule"], said["server"], said["value"], said["threshold"], said["alert"]) == (
        *("alert.raised", "cpu", "web-1:8000", 85, 80, None),
    )
    assert taken.headers["HMS-Signature"].startswith("t=")
    desk.tells(replace(NEWS, event=Event.RESOLVED, only_bell=True))
    assert (len(desk.mail.arrived), len(desk.hook.taken)) == (2, 1), "that was told before"


def test_a_way_that_is_closed_is_tried_again_and_holds_up_no_other(desk: Desk) -> None:
    desk.hook.answer = lambda _taken: Told(status=500)
    desk.tells(NEWS)
    assert (len(desk.mail.arrived), len(desk.hook.taken)) == (2, 1)
    desk.hook.answer = lambda _taken: Told()
    desk.later(FIRST_PAUSE - 1)
    assert len(desk.hook.taken) == 1
    desk.later(2)
    assert len(desk.hook.taken) == 2
    keys = {one.headers["Idempotency-Key"] for one in desk.hook.taken}
    assert len(keys) == 1
    desk.later(PATIENCE)
    assert (len(desk.mail.arrived), len(desk.hook.taken)) == (2, 2)


def test_what_nobody_takes_for_an_hour_is_given_up_and_logged(desk: Desk, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.HMS_OPERATORS = []
    desk.hook.answer = lambda _taken: Told(status=404)
    desk.tells(NEWS)
    desk.later(PATIENCE + 1)
    assert "Nobody could be told of an alert by webhook (HTTP 404)." in caplog.text
    tried = len(desk.hook.taken)
    desk.later(PATIENCE)
    assert len(desk.hook.taken) == tried == 2


def test_operators_are_those_of_the_accounts(desk: Desk, settings: Any, world: World) -> None:
    settings.HMS_OPERATORS = []
    assert desk.teller.recipients.addresses() == []
    desk.teller.recipients.refresh()
    assert desk.teller.recipients.addresses() == ["super_admin@hms.test", "system_admin@hms.test"]


def test_the_bell_rings_for_operators_wherever_they_work(world: World) -> None:
    alert = uuid4()
    ring(replace(NEWS, id=alert), alert)
    ring(replace(NEWS, id=uuid4()), uuid4())
    with platform_scope(reason="test"):
        rows = list(Notification.objects.values_list("user_id", "clinic_id", "about_id"))
    operators = [world.platform[role].pk for role in (Role.SUPER_ADMIN, Role.SYSTEM_ADMIN)]
    clinics = [world.riverside.clinic.pk, world.hillcrest.clinic.pk]
    assert sorted(rows) == sorted((user, clinic, alert) for user in operators for clinic in clinics), "once, until it is read"
    with platform_scope(reason="test"):
        row = Notification.objects.first()
    assert row is not None
    for role, address in ((Role.SUPER_ADMIN, reverse("admin:core_alert_changelist")), (Role.CLINIC_ADMIN, "")):
        seen = told(row, Actor(row.user_id, "Reader", row.clinic_id, frozenset({role})))
        assert (seen.words, seen.address) == ("Alert: cpu", address)
