"""Alerts: raised once by however many servers, told once, resolved, acknowledged; and kept while their table is away."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.accounts.roles import Role
from core.monitoring.judging import Condition
from core.monitoring.ledger import Ledger, read_rules
from core.monitoring.metrics import DEFAULTS, Rule
from core.monitoring.models import Alert, AlertRule
from core.monitoring.standing import Board, News
from tests.factories.world import World

RULES = {rule.name: rule for rule in DEFAULTS}
CPU, UNHEALTHY = RULES["cpu"], RULES["unhealthy"]


@dataclass
class Server:
    """One server's board and ledger; its clock stands until it is moved."""

    name: str = "web-1"
    now: float = 1000.0
    board: Board = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.board, self.ledger = Board(lambda: self.now), Ledger(self.name)

    def sees(self, holds: bool | None, value: float = 90.0, *, rule: Rule = CPU, subject: str = "", shared: bool = False) -> None:
        self.board.take([Condition(rule, subject, "" if shared else self.name, holds, value, "a note" if holds else "")])

    def writes(self) -> list[str]:
        return events(self.ledger.write(self.board, read_rules()))

    def turn(self, holds: bool | None, value: float = 90.0, **about: Any) -> list[str]:
        self.sees(holds, value, **about)
        return self.writes()

    def later(self, minutes: float) -> None:
        """So much time goes by, for the database too."""
        self.now += 60 * minutes
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE core_alert SET raised_at = raised_at - %(by)s, seen_at = seen_at - %(by)s, told_at = told_at - %(by)s",
                {"by": timedelta(minutes=minutes)},
            )


def events(news: list[News]) -> list[str]:
    return [f"{one.event.value} {one.rule.name}" + (" by the bell" if one.only_bell else "") for one in news]


def test_the_table_begins_with_the_rules_of_the_code() -> None:
    assert read_rules() == sorted(DEFAULTS, key=lambda rule: rule.name)


def test_raised_once_told_once_and_resolved() -> None:
    server = Server()
    assert server.turn(True, 85) == ["raised cpu"]
    assert server.turn(True, 95) == []
    assert server.turn(True, 91) == []
    alert = Alert.objects.get()
    assert (alert.rule.name, alert.server, alert.severity, alert.value, alert.worst) == ("cpu", "web-1", "warning", 91, 95)
    assert alert.is_open and alert.told_at is not None and alert.note == "a note"
    assert server.turn(None) == [], "what nothing can be said of stays"
    assert server.turn(False, 20) == ["resolved cpu"]
    assert server.turn(False, 20) == []
    alert.refresh_from_db()
    assert not alert.is_open and alert.worst == 95


def test_two_servers_see_the_same() -> None:
    one, other = Server("web-1"), Server("web-2")
    about: dict[str, Any] = {"rule": UNHEALTHY, "subject": "workers", "shared": True}
    assert one.turn(True, 2, **about) == ["raised unhealthy"]
    assert other.turn(True, 2, **about) == []
    assert Alert.objects.count() == 1
    assert other.turn(False, 0, **about) == ["resolved unhealthy"]
    assert one.turn(True, 2, **about) == [], "that was a moment ago: the alert is over for this server too"
    assert not one.board.open
    assert one.turn(True, 2, **about) == [], "raised anew, and within the quiet time of the one before"
    assert Alert.objects.open().count() == 1


def test_each_server_has_its_own_alert() -> None:
    assert Server("web-1").turn(True) == Server("web-2").turn(True) == ["raised cpu"]
    assert sorted(Alert.objects.open().values_list("server", flat=True)) == ["web-1", "web-2"]


def test_quiet_time_and_reminders() -> None:
    server = Server()
    assert server.turn(True) == ["raised cpu"]
    server.later(5)
    assert server.turn(False) == ["resolved cpu"]
    server.later(5)
    assert server.turn(True) == [], "it flaps"
    server.later(51)
    assert server.turn(True) == ["raised cpu"], "of this one nobody has been told"
    server.later(61)
    assert server.turn(True) == ["reminded cpu"]
    assert server.turn(True) == []


def test_of_what_nobody_was_told_nobody_is_told_that_it_is_over() -> None:
    server = Server()
    server.turn(True)
    server.turn(False)
    assert server.turn(True) == []
    assert server.turn(False) == []
    assert Alert.objects.filter(resolved_at=None).count() == 0


def test_whoever_knows_is_not_reminded(world: World) -> None:
    server = Server()
    server.turn(True)
    Alert.objects.update(acknowledged_at=timezone.now())
    server.later(61)
    assert server.turn(True) == []
    assert server.turn(False) == ["resolved cpu"]


def test_a_server_that_is_started_anew_knows_its_alerts() -> None:
    assert Server().turn(True) == ["raised cpu"]
    anew = Server()
    assert anew.turn(None) == []
    assert anew.turn(True) == []
    assert anew.turn(False) == ["resolved cpu"]
    assert Alert.objects.count() == 1


def test_what_no_server_sees_any_more_is_over() -> None:
    Server("gone").turn(True)
    here = Server("here")
    here.later(9)
    here.writes()
    assert Alert.objects.open().count() == 1
    here.later(2)
    here.writes()
    assert Alert.objects.open().count() == 0


def test_a_rule_that_is_switched_off_ends_its_alerts() -> None:
    server = Server()
    server.turn(True)
    server.later(11)
    server.board.take([])
    assert server.writes() == []
    assert server.writes() == []
    assert Alert.objects.open().count() == 0 and not server.board.open


def test_while_the_table_is_away_people_are_told_and_it_is_written_later() -> None:
    server = Server()
    server.sees(True, 85)
    assert events(server.board.without_table()) == ["raised cpu"]
    server.now += 120
    server.sees(True, 99)
    assert events(server.board.without_table()) == []
    server.now += 3600
    server.sees(True, 88)
    assert events(server.board.without_table()) == ["reminded cpu"]
    assert server.writes() == ["raised cpu by the bell"], "nobody is told twice"
    alert = Alert.objects.get()
    assert alert.worst == 99
    assert timedelta(seconds=3710) < timezone.now() - alert.raised_at < timedelta(seconds=3790)
    assert server.turn(True) == []
    assert server.turn(False) == ["resolved cpu"]


def test_many_at_once_in_every_state() -> None:
    server = Server()
    server.sees(True, 85)
    server.board.without_table()
    server.sees(True, 2, rule=UNHEALTHY, subject="broker")
    server.sees(True, 2, rule=UNHEALTHY, subject="cache")
    server.board.without_table()
    server.sees(False, 0, rule=UNHEALTHY, subject="cache")
    server.sees(True, 2, rule=UNHEALTHY, subject="events")
    assert sorted(server.writes()) == [
        *("raised cpu by the bell", "raised unhealthy", "raised unhealthy by the bell", "resolved unhealthy")
    ]
    assert {one.subject: one.is_open for one in Alert.objects.all()} == {"": True, "broker": True, "cache": False, "events": True}


def test_what_came_and_went_while_the_table_was_away() -> None:
    server = Server()
    server.sees(True)
    server.board.without_table()
    server.now += 100
    server.sees(False, 10)
    assert events(server.board.without_table()) == ["resolved cpu"]
    assert events(server.board.without_table()) == []
    server.now += 10
    assert server.writes() == []
    alert = Alert.objects.get()
    assert not alert.is_open and alert.resolved_at and alert.told_at
    assert timedelta(seconds=99) < alert.resolved_at - alert.raised_at < timedelta(seconds=101)


def test_what_is_over_with_the_outage_is_told_when_the_table_is_back() -> None:
    server = Server()
    server.sees(True, rule=RULES["database-away"], subject="database")
    server.board.without_table()
    assert server.turn(False, 0, rule=RULES["database-away"], subject="database") == ["resolved database-away"]
    assert Alert.objects.get().resolved_at is not None


def test_operators_change_rules_and_acknowledge(client: Client, world: World) -> None:
    client.force_login(world.platform[Role.SYSTEM_ADMIN])
    rule = AlertRule.objects.get(name="cpu")
    fields = {"comparison": "at_least", "threshold": "95", "seconds": "120", "severity": "critical", "quiet_minutes": "30"}
    answer = client.post(reverse("admin:core_alertrule_change", args=[rule.pk]), fields | {"is_active": "on"})
    assert answer.status_code == 302, answer.content.decode()
    assert replace(CPU, threshold=95, seconds=120, severity="critical", quiet_minutes=30) in read_rules()
    Server().turn(True)
    alert = Alert.objects.get()
    said = {"action": "acknowledge_alerts", "_selected_action": str(alert.pk), "reason": "A report is running"}
    for _ in range(2):
        client.post(reverse("admin:core_alert_changelist"), said)
    alert.refresh_from_db()
    assert alert.acknowledged_by == world.platform[Role.SYSTEM_ADMIN]
    assert (alert.acknowledgement, alert.acknowledged_at is not None) == ("A report is running", True)


def test_a_rule_about_what_there_is_not(client: Client, world: World) -> None:
    client.force_login(world.platform[Role.SUPER_ADMIN])
    fields = {"name": "mine", "metric": "health", "subject": "nothing", "comparison": "is", "threshold": "2", "seconds": "9999",
              "severity": "warning", "quiet_minutes": "10", "is_active": "on"}  # fmt: skip
    answer = client.post(reverse("admin:core_alertrule_add"), fields)
    assert set(answer.context["adminform"].form.errors) == {"subject", "seconds"}
    answer = client.post(reverse("admin:core_alertrule_add"), fields | {"subject": "broker", "seconds": "90"})
    assert answer.status_code == 302
    assert "mine" in {rule.name for rule in read_rules()}


def test_support_reads_and_clinics_see_nothing(client: Client, world: World) -> None:
    Server().turn(True)
    client.force_login(world.platform[Role.SUPPORT])
    assert client.get(reverse("admin:core_alert_changelist")).status_code == 200
    client.post(
        reverse("admin:core_alert_changelist"), {"action": "acknowledge_alerts", "_selected_action": str(Alert.objects.get().pk)}
    )
    assert Alert.objects.get().acknowledged_at is None
    client.force_login(world.riverside.users[Role.CLINIC_ADMIN])
    assert client.get(reverse("admin:core_alert_changelist")).status_code == 403


@pytest.mark.parametrize("name", ["cpu", "unhealthy"])
def test_rows_of_the_rules_are_kept_in_the_history(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'core_alertrule'::regclass AND tgname LIKE 'hms_history%%'")
        assert cursor.fetchone()[0] == 3
        cursor.execute("SELECT has_table_privilege('hms_app', 'core_alert', 'DELETE')")
        assert cursor.fetchone()[0] is False
