"""Whether anybody wants to hear of an event is asked after its commit, and of the cache; what the sender notes doesn't matter."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.accounts.actor import system_actor
from core.events.announcing import announce
from core.jobs.models import Job
from core.tenancy.context import Scope, clinic_scope, platform_scope, unit_of_work
from core.webhooks import services
from core.webhooks.models import WebhookEndpoint
from core.webhooks.sending import deliver_due
from core.webhooks.switching_off import switch_off
from core.webhooks.waking import wanted_events
from patients import events
from tests.architecture.catalogue import add_row, any_rows, drop_checks
from tests.core.cache.test_announcements import touched
from tests.factories.leftovers import leftovers
from tests.factories.threads import apart
from tests.factories.world import Place


@pytest.fixture
def swept(world: object) -> Iterator[None]:
    yield
    leftovers.clear()


def inside(place: Place, call: Callable[[], Any]) -> Any:
    def run() -> Any:
        with clinic_scope(place.clinic, reason="test"):
            return call()

    return apart(run)[0]


def a_webhook(place: Place, wanted: list[str]) -> WebhookEndpoint:
    data = {"name": "Laboratory system", "url": "https://lab.example.org/hms", "events": wanted}
    endpoint, _ = inside(place, lambda: services.create_webhook(actor=system_actor(place.clinic.pk), data=data))
    return endpoint


def change(place: Place, times: int = 1) -> None:
    """So many events, each in a transaction of its own."""
    patient = place.patients[0]
    for _ in range(times):
        inside(place, lambda: announce(events.CHANGED, patient.pk, patient=patient.pk))


def jobs() -> int:
    def count() -> int:
        with unit_of_work(Scope(reason="test")):
            return Job.objects.filter(kind="webhooks.send").count()

    return int(apart(count)[0])


def loads(place: Place, work: Callable[[], Any]) -> int:
    """How often the endpoints are read while `work` is done on a connection of its own."""

    def counted() -> int:
        with CaptureQueriesContext(connection) as found:
            work()
        return sum('SELECT "core_webhookendpoint"."events"' in one["sql"] for one in found)

    return int(apart(counted)[0])


def ask(place: Place) -> frozenset[str]:
    with clinic_scope(place.clinic, reason="test"):
        return wanted_events()


def test_a_job_begins_for_what_is_wanted_and_for_nothing_else(listening: None, swept: None, riverside: Place) -> None:
    change(riverside)
    assert jobs() == 0
    a_webhook(riverside, ["patient.registered"])
    change(riverside)
    assert jobs() == 0
    inside(riverside, lambda: WebhookEndpoint.objects.update(events=["patient.changed"]))
    change(riverside, 3)
    assert jobs() == 1  # nobody has taken it, so it will see all three


def test_a_clinic_s_webhooks_are_nobody_else_s(listening: None, swept: None, riverside: Place, hillcrest: Place) -> None:
    a_webhook(hillcrest, ["patient.changed"])
    change(riverside)
    assert jobs() == 0


def test_the_question_costs_no_query_even_while_events_are_sent(listening: None, swept: None, riverside: Place) -> None:
    endpoint = a_webhook(riverside, ["patient.changed"])
    assert loads(riverside, lambda: ask(riverside)) == 1
    assert loads(riverside, lambda: ask(riverside)) == 0
    change(riverside)
    apart(deliver_due)  # it can't be reached: the sender notes that, and how far it has read
    row = inside(riverside, lambda: WebhookEndpoint.objects.get(pk=endpoint.pk))
    assert row.after_position != endpoint.after_position
    assert loads(riverside, lambda: ask(riverside)) == 0


def test_whatever_changes_an_endpoint_is_seen_by_the_next_event(listening: None, swept: None, riverside: Place) -> None:
    actor, place = system_actor(riverside.clinic.pk), riverside
    assert apart(lambda: ask(place)) == [frozenset()]
    endpoint = a_webhook(place, ["patient.changed"])
    assert apart(lambda: ask(place)) == [{"patient.changed"}]

    def wants(**changes: Any) -> frozenset[str]:
        inside(place, lambda: services.update_webhook(actor=actor, webhook_id=endpoint.pk, changes=changes))
        found: frozenset[str] = apart(lambda: ask(place))[0]
        return found

    assert wants(events=["patient.registered"]) == {"patient.registered"}
    assert wants(is_active=False) == frozenset()
    assert wants(is_active=True) == {"patient.registered"}

    def off() -> None:
        with platform_scope(reason="test"):
            switch_off(endpoint, why="410")

    apart(off)
    assert apart(lambda: ask(place)) == [frozenset()]


def test_the_sender_s_notes_announce_nothing(world: object, riverside: Place) -> None:
    with any_rows() as found:
        drop_checks(found, "core_webhookendpoint")
        found.execute("SET LOCAL session_replication_role = origin")
        add_row(found, "core_webhookendpoint", clinic_id=riverside.clinic.pk)
        found.execute("SELECT set_config('hms.touched', '', true)")
        found.execute(
            "UPDATE core_webhookendpoint SET after_position = after_position + 1, failures = failures + 1, failing_since = now()"
        )
        assert touched(found) == set()
        found.execute("UPDATE core_webhookendpoint SET is_active = NOT is_active")
        assert touched(found) == {f"core_webhookendpoint:{riverside.clinic.pk}"}
