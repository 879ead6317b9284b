"""Events reach a receiver that was written by the page alone: signed, in order, after an outage too, and never a stranger's."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.accounts.actor import system_actor
from core.errors import Conflict, NotFound, ValidationFailed
from core.events.announcing import announce
from core.jobs.models import Job
from core.messaging.models import OutgoingMessage
from core.outbound.signing import signature
from core.tenancy.context import Scope, clinic_scope, platform_scope, unit_of_work
from core.webhooks import sending, services
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.sending import deliver_due, next_due, pause_after, rest_after, spread_events
from patients import events
from tests.architecture.catalogue import connected
from tests.core.webhooks.conftest import Integrator, committed
from tests.core.webhooks.receiver import is_theirs
from tests.factories.endpoints import Told
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place

State = WebhookDelivery.State


def test_an_event_arrives_as_the_page_says(integrator: Integrator) -> None:
    patient = integrator.place.patients[0]
    integrator.announce(patient)
    integrator.send_until(lambda: integrator.receiver.events)
    (event,) = integrator.receiver.events
    (delivery,) = integrator.deliveries()
    assert event == {
        "id": str(delivery.event_id), "type": "patient.changed", "version": 1, "clinic": str(integrator.place.clinic.pk),
        "sequence": delivery.seq, "happened_at": event["happened_at"], "data": {"patient": str(patient.pk)},
    }  # fmt: skip
    assert event["happened_at"].endswith("Z")
    (taken,) = integrator.end.taken
    assert (taken.method, taken.path, taken.headers["Content-Type"]) == ("POST", "/hms", "application/json")
    assert (taken.headers["HMS-Event"], taken.headers["HMS-Delivery"]) == ("patient.changed", str(delivery.pk))
    assert (delivery.state, delivery.attempts, delivery.status, delivery.cause) == (State.SUCCEEDED, 1, 200, "")
    apart(deliver_due)
    assert len(integrator.end.taken) == 1 and integrator.receiver.refused == 0


def test_the_signature_holds_for_this_body_secret_and_time_alone() -> None:
    body = b'{"id":1}'
    headers = {"HMS-Signature": signature(["whsec_a", "whsec_b"], 1000, body)}
    assert is_theirs("whsec_a", headers, body, 1000) and is_theirs("whsec_b", headers, body, 1299)
    assert not is_theirs("whsec_c", headers, body, 1000)
    assert not is_theirs("whsec_a", headers, body + b" ", 1000)
    assert not is_theirs("whsec_a", headers, body, 1301) and not is_theirs("whsec_a", headers, body, 699)
    assert not is_theirs("whsec_a", {"HMS-Signature": headers["HMS-Signature"].replace("t=1000", "t=1001")}, body, 1001)
    assert not is_theirs("whsec_a", {}, body, 1000)


def test_two_secrets_sign_while_one_is_changed(integrator: Integrator) -> None:
    patient, old = integrator.place.patients[0], integrator.receiver.secret
    _, new = integrator.does(services.rotate_secret, webhook_id=integrator.endpoint.pk)
    assert new != old
    for number, secret in enumerate((old, new), 1):
        integrator.receiver.secret = secret
        integrator.announce(patient)
        integrator.send_until(lambda number=number: len(integrator.receiver.events) == number)
    assert integrator.receiver.refused == 0
    committed(integrator.place, lambda: WebhookEndpoint.objects.update(old_secret_until=timezone.now() - timedelta(seconds=1)))
    integrator.receiver.secret = old
    integrator.announce(patient)
    integrator.send_until(lambda: integrator.receiver.refused)
    assert len(integrator.receiver.events) == 2


def test_only_wanted_events_of_the_own_clinic_are_sent(make_integrator: Callable[..., Integrator], hillcrest: Place) -> None:
    ours, theirs = make_integrator(), make_integrator(hillcrest, ["patient.registered"])
    other = hillcrest.patients[0]
    committed(hillcrest, lambda: announce(events.CHANGED, other.pk, patient=other.pk))
    committed(hillcrest, lambda: announce(events.REGISTERED, other.pk, patient=other.pk))
    ours.announce(ours.place.patients[0])
    ours.send_until(lambda: ours.receiver.events and theirs.receiver.events)
    assert [one["clinic"] for one in ours.receiver.events] == [str(ours.place.clinic.pk)]
    assert [one["type"] for one in theirs.receiver.events] == ["patient.registered"]


def test_what_is_rolled_back_is_not_sent(integrator: Integrator) -> None:
    patient = integrator.place.patients[0]

    def fails() -> None:
        with clinic_scope(integrator.place.clinic, reason="test"):
            announce(events.CHANGED, patient.pk, patient=patient.pk)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        apart(fails)
    integrator.announce(patient)
    integrator.send_until(lambda: integrator.receiver.events)
    assert len(integrator.deliveries()) == 1


def test_what_nobody_has_looked_at_is_looked_at_after_a_moment(integrator: Integrator) -> None:
    due = lambda: apart(lambda: next_due(timedelta(seconds=1)))[0]  # noqa: E731
    assert due() is None
    before = timezone.now()
    integrator.announce(integrator.place.patients[0])
    assert before < due() < timezone.now() + timedelta(seconds=1)
    apart(deliver_due)
    assert len(integrator.receiver.events) == 1 and due() is None


def test_a_pause_that_ends_is_known(integrator: Integrator) -> None:
    """Of the delivery that failed, not of those behind it, which can't be sent before."""
    integrator.receiver.status = lambda _said: 500
    integrator.announce(integrator.place.patients[0], times=2)
    integrator.send_until(lambda: integrator.end.taken)
    (failed,) = integrator.deliveries(attempts=1)
    assert eventually(lambda: apart(lambda: next_due(timedelta(seconds=1))) == [failed.due_at])


@pytest.mark.parametrize("service", [services.ping, services.replay_events])
def test_what_somebody_sends_by_hand_needs_no_minute(integrator: Integrator, service: Any) -> None:
    more = {"since": timezone.now() - timedelta(hours=1)} if service is services.replay_events else {}
    integrator.does(service, webhook_id=integrator.endpoint.pk, **more)

    def kinds() -> list[str]:
        with unit_of_work(Scope(reason="test")):
            return list(Job.objects.values_list("kind", flat=True))

    assert apart(kinds) == [["webhooks.send"]]


def test_what_commits_late_is_not_missed_and_holds_nothing_back(integrator: Integrator) -> None:
    """A transaction that began first and ends last: what ended before it is sent meanwhile, and nothing is sent twice."""
    first, second = integrator.place.patients[:2]
    began, end = threading.Event(), threading.Event()

    def slow() -> None:
        with clinic_scope(integrator.place.clinic, reason="test"):
            announce(events.CHANGED, first.pk, patient=first.pk)
            began.set()
            assert end.wait(30)

    def quick() -> list[str]:
        assert began.wait(30)
        try:
            with clinic_scope(integrator.place.clinic, reason="test"):
                announce(events.CHANGED, second.pk, patient=second.pk)
            deliver_due()
            return [one["data"]["patient"] for one in integrator.receiver.events]
        finally:
            end.set()

    assert apart(slow, quick)[1] == [str(second.pk)]
    apart(deliver_due)
    assert [one["data"]["patient"] for one in integrator.receiver.events] == [str(second.pk), str(first.pk)]
    apart(deliver_due)
    assert len(integrator.end.taken) == 2


def test_a_receiver_that_was_away_gets_everything_in_order(integrator: Integrator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(sending, "FIRST_REST", timedelta(milliseconds=50))
    patients = integrator.place.patients[:3]
    integrator.end.kill()
    for _ in range(4):
        for patient in patients:
            integrator.announce(patient)
        apart(deliver_due)
    integrator.send_until(lambda: integrator.row().failures >= sending.LIMIT)
    assert integrator.receiver.events == []
    assert {one.cause for one in integrator.deliveries() if one.attempts} == {"no connection"}
    integrator.end.revive()
    integrator.send_until(lambda: len(integrator.receiver.events) == 12)
    for patient in patients:
        numbers = [one["sequence"] for one in integrator.receiver.events if one["data"]["patient"] == str(patient.pk)]
        assert len(numbers) == 4 and numbers == sorted(numbers)
    assert integrator.receiver.twice == 0
    row = integrator.row()
    assert (row.failures, row.failing_since, row.rests_until) == (0, None, None)


def test_the_order_holds_for_each_record_and_one_does_not_hold_up_the_other(integrator: Integrator) -> None:
    """The first event about one patient is refused: those behind it wait, another patient's don't."""
    stuck, free = integrator.place.patients[:2]
    integrator.receiver.status = lambda said: 500 if said["data"]["patient"] == str(stuck.pk) else 200
    for _ in range(3):
        integrator.announce(stuck)
        integrator.announce(free)
    integrator.send_until(lambda: len(integrator.receiver.types(patient=str(free.pk))) == 3)
    assert [one.attempts for one in integrator.deliveries(about_id=stuck.pk)] == [1, 0, 0]
    integrator.receiver.status = None
    integrator.all_due()
    integrator.send_until(lambda: len(integrator.receiver.types(patient=str(stuck.pk))) == 3)
    numbers = [one["sequence"] for one in integrator.receiver.events if one["data"]["patient"] == str(stuck.pk)]
    assert numbers == sorted(numbers)


def test_senders_at_once_send_each_event_once_and_in_order(integrator: Integrator) -> None:
    patients = integrator.place.patients[:4]
    for _ in range(5):
        for patient in patients:
            integrator.announce(patient)
    integrator.send_until(lambda: apart(*[deliver_due] * 4) and len(integrator.receiver.events) == 20)
    assert len(integrator.end.taken) == 20 and integrator.receiver.twice == 0
    for _, group in groupby(sorted(integrator.receiver.events, key=lambda one: one["data"]["patient"]),
                            key=lambda one: one["data"]["patient"]):  # fmt: skip
        numbers = [one["sequence"] for one in group]
        assert numbers == sorted(numbers)


def test_a_clinic_with_much_to_send_takes_turns_with_the_others(
    make_integrator: Callable[..., Integrator], hillcrest: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sends is older, and yet the other clinic's event is in the first batch; nor does one of its webhooks keep out the
    other."""
    monkeypatch.setattr(sending, "AT_ONCE", 3)
    busy, second, other = make_integrator(), make_integrator(name="Second system"), make_integrator(hillcrest)
    for patient in busy.place.patients:
        busy.announce(patient)
    other.announce(hillcrest.patients[0])
    apart(spread_events)
    first = [one.endpoint_id for one in apart(sending._claimed)[0]]
    assert sorted(first) == sorted(one.endpoint.pk for one in (busy, second, other))
    assert {one.endpoint_id for one in apart(sending._claimed)[0]} == {busy.endpoint.pk, second.endpoint.pk}


@pytest.mark.parametrize("known", [True, False], ids=["analysed", "just came"])
def test_what_waits_behind_the_first_costs_nothing(
    known: bool, make_integrator: Callable[..., Integrator], hillcrest: Place
) -> None:
    """However many wait: of each endpoint the first eight are looked at, and whether something about the same record is before.

    While the planner takes the table for empty, that question may cost a look through it for each of the eight, but not for all.
    """
    each, now = 3000, timezone.now()
    ends = [make_integrator(), make_integrator(hillcrest, name="Registry")]
    with connected("postgres") as maintenance:
        maintenance.execute("SET LOCAL session_replication_role = replica")  # no foreign keys are looked up
        maintenance.execute("ANALYZE core_webhookdelivery, core_webhookendpoint")
        maintenance.execute(MANY, {"endpoints": [one.endpoint.pk for one in ends], "each": each})
        if known:
            maintenance.execute("ANALYZE core_webhookdelivery, core_webhookendpoint")
        values = {"now": now, "limit": sending.LIMIT, "for_one": sending.AT_ONCE_FOR_ONE, "most": sending.AT_ONCE}
        ids = [pk for (pk,) in maintenance.execute(sending.CLAIM, values)]
        ((plan,),) = maintenance.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sending.CLAIM}", values).fetchall()
        seqs = [seq for (seq,) in maintenance.execute("SELECT seq FROM core_webhookdelivery WHERE id = ANY (%s)", [ids])]
    assert sorted(seqs) == sorted([*range(1, 9)] * len(ends))
    assert max(rows_read(plan[0]["Plan"])) < (100 if known else len(ids) * each * len(ends) * 2)


MANY = """
INSERT INTO core_webhookdelivery (id, clinic_id, endpoint_id, event_id, name, about_id, seq, happened_at, is_replay, state,
    attempts, cause, created_at, due_at, expires_at)
SELECT gen_random_uuid(), clinic_id, id, gen_random_uuid(), 'patient.changed', gen_random_uuid(), n, now(), false, 'waiting', 0, '',
    now(), now() - interval '1 minute', now() + interval '1 day'
FROM core_webhookendpoint, generate_series(1, %(each)s) n WHERE id = ANY (%(endpoints)s)
"""


def rows_read(node: dict[str, Any]) -> Iterator[float]:
    """What came out of each step of a plan, and what it threw away."""
    thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    yield (node["Actual Rows"] + thrown) * node["Actual Loops"]
    for one in node.get("Plans", []):
        yield from rows_read(one)


def test_what_happens_while_others_are_sent_goes_out_next(make_integrator: Callable[..., Integrator], hillcrest: Place) -> None:
    slow, other = make_integrator(), make_integrator(hillcrest)

    def meanwhile(_said: dict[str, Any]) -> int:
        other.announce(hillcrest.patients[0])
        return 200

    slow.receiver.status = meanwhile
    slow.announce(slow.place.patients[0])
    apart(deliver_due)
    assert len(slow.receiver.events) == len(other.receiver.events) == 1


def test_what_a_dead_sender_had_in_hand_is_taken_by_another(integrator: Integrator, monkeypatch: pytest.MonkeyPatch) -> None:
    integrator.announce(integrator.place.patients[0])
    with monkeypatch.context() as dying:
        dying.setattr(sending, "_deliver", lambda _: (_ for _ in ()).throw(SystemExit))

        def dies() -> None:
            with pytest.raises(SystemExit):
                while True:
                    deliver_due()

        apart(dies)
    (delivery,) = integrator.deliveries()
    assert delivery.state == State.SENDING
    apart(deliver_due)
    assert integrator.end.taken == [], "its time is not over"
    committed(integrator.place, lambda: WebhookDelivery.objects.update(due_at=timezone.now()))
    integrator.send_until(lambda: integrator.receiver.events)


def test_an_endpoint_that_fails_is_left_alone_and_then_tried_by_one(integrator: Integrator) -> None:
    integrator.receiver.status = lambda _: 500
    for patient in integrator.place.patients[:6]:
        integrator.announce(patient)
    integrator.send_until(lambda: integrator.row().failures >= sending.LIMIT)
    rest = integrator.row().rests_until
    assert rest is not None and rest > timezone.now()
    tried = len(integrator.end.taken)
    committed(integrator.place, lambda: WebhookDelivery.objects.filter(state="waiting").update(due_at=timezone.now()))
    apart(deliver_due)
    assert len(integrator.end.taken) == tried, "it is left alone"
    committed(integrator.place, lambda: WebhookEndpoint.objects.update(rests_until=timezone.now()))
    apart(*[deliver_due] * 3)
    assert len(integrator.end.taken) == tried + 1, "one tries"
    integrator.receiver.status = None
    committed(integrator.place, lambda: WebhookEndpoint.objects.update(rests_until=timezone.now()))
    integrator.send_until(lambda: len(integrator.receiver.events) == 6)


def test_retry_after_is_obeyed(integrator: Integrator) -> None:
    integrator.end.answer = lambda _: Told(503, {"Retry-After": "1200"})
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.end.taken)
    (delivery,) = integrator.deliveries()
    assert (delivery.status, delivery.cause) == (503, "HTTP 503")
    assert timedelta(minutes=19) < delivery.due_at - timezone.now() <= timedelta(minutes=20)


def test_a_redirect_is_a_failure_and_nobody_follows_it(integrator: Integrator) -> None:
    integrator.end.answer = lambda _: Told(307, {"Location": integrator.end.url + "/elsewhere"})
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.end.taken)
    assert [one.path for one in integrator.end.taken] == ["/hms"]
    assert integrator.deliveries()[0].cause == "HTTP 307"


def test_an_inner_address_is_not_called(integrator: Integrator, settings: Any) -> None:
    """The name was typed while it pointed outside; now it points inside."""
    settings.HMS_WEBHOOK_ALLOW = []
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.deliveries(attempts__gt=0))
    assert (integrator.deliveries()[0].cause, integrator.end.taken) == ("address refused", [])


def test_after_three_days_it_is_given_up_and_the_next_one_goes_out(integrator: Integrator) -> None:
    patient = integrator.place.patients[0]
    integrator.receiver.status = lambda _: 500
    integrator.announce(patient, 2)
    integrator.send_until(lambda: integrator.end.taken)
    first, second = integrator.deliveries()
    past = timezone.now() - timedelta(seconds=1)
    committed(integrator.place, lambda: WebhookDelivery.objects.filter(pk=first.pk).update(expires_at=past, due_at=past))
    integrator.receiver.status = None
    integrator.send_until(lambda: integrator.receiver.events)
    assert [one["sequence"] for one in integrator.receiver.events] == [second.seq]
    assert [one.state for one in integrator.deliveries()] == [State.FAILED, State.SUCCEEDED]


def switched_off(integrator: Integrator) -> list[OutgoingMessage]:
    """It is off; the letters to administrators."""
    row = integrator.row()
    assert not row.is_active and row.disabled_at is not None
    with connected("postgres") as found:
        return found.execute("SELECT kind FROM core_outgoingmessage").fetchall()  # type: ignore[return-value]


def test_after_days_without_success_it_is_switched_off_and_administrators_are_told(integrator: Integrator) -> None:
    integrator.receiver.status = lambda _: 500
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.row().failing_since)
    assert integrator.row().is_active
    long_ago = timezone.now() - sending.PATIENCE
    committed(integrator.place, lambda: WebhookEndpoint.objects.update(failing_since=long_ago))
    integrator.all_due()
    integrator.send_until(lambda: not integrator.row().is_active)
    assert switched_off(integrator) == [("notice",)]
    assert integrator.row().disabled_why == "HTTP 500"
    tried = len(integrator.end.taken)
    integrator.all_due()
    apart(deliver_due)
    assert len(integrator.end.taken) == tried


def test_410_switches_it_off_at_once(integrator: Integrator) -> None:
    integrator.receiver.status = lambda _: 410
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: not integrator.row().is_active)
    assert len(switched_off(integrator)) == 1


def test_switched_on_again_it_is_told_what_happens_from_then_on(integrator: Integrator) -> None:
    patient, began = integrator.place.patients[0], timezone.now()
    integrator.does(services.update_webhook, webhook_id=integrator.endpoint.pk, changes={"is_active": False})
    integrator.announce(patient)
    apart(spread_events)
    integrator.does(services.update_webhook, webhook_id=integrator.endpoint.pk, changes={"is_active": True})
    integrator.announce(patient)
    integrator.send_until(lambda: integrator.receiver.events)
    assert len({one["sequence"] for one in integrator.receiver.events}) >= 1
    count = integrator.does(services.replay_events, webhook_id=integrator.endpoint.pk, since=began)
    assert count == 2
    integrator.send_until(lambda: len(integrator.receiver.events) == 2)


def test_a_time_is_sent_again_in_its_order_and_the_receiver_knows_it(integrator: Integrator) -> None:
    patient, began = integrator.place.patients[0], timezone.now()
    integrator.announce(patient, 3)
    integrator.send_until(lambda: len(integrator.receiver.events) == 3)
    middle = integrator.receiver.events[1]["happened_at"]
    count = integrator.does(
        services.replay_events, webhook_id=integrator.endpoint.pk, since=began, until=datetime.fromisoformat(middle)
    )
    assert count == 1
    integrator.send_until(lambda: integrator.receiver.twice == 1)
    (again,) = integrator.deliveries(is_replay=True)
    assert str(again.event_id) == integrator.receiver.events[0]["id"]
    integrator.does(services.replay_delivery, delivery_id=again.pk)
    integrator.send_until(lambda: integrator.receiver.twice == 2)
    assert [taken.body for taken in integrator.end.taken].count(integrator.end.taken[0].body) == 3


def test_what_waits_to_be_sent_again_is_not_asked_for_once_more(integrator: Integrator) -> None:
    endpoint, since = integrator.endpoint.pk, timezone.now()
    integrator.announce(integrator.place.patients[0], 2)
    integrator.send_until(lambda: len(integrator.receiver.events) == 2)
    one, other = integrator.deliveries()

    def refused(service: Any, **given: Any) -> bool:
        try:
            integrator.does(service, **given)
        except Conflict:
            return True
        return False

    integrator.does(services.replay_delivery, delivery_id=one.pk)
    assert refused(services.replay_delivery, delivery_id=one.pk)
    assert not refused(services.replay_delivery, delivery_id=other.pk)
    assert refused(services.replay_events, webhook_id=endpoint, since=since)
    integrator.send_until(lambda: integrator.receiver.twice == 2)
    both = apart(*[lambda: refused(services.replay_events, webhook_id=endpoint, since=since)] * 2)
    assert sorted(both) == [False, True], "of two at once, too"
    integrator.send_until(lambda: integrator.receiver.twice == 4)


def test_a_ping_says_nothing(integrator: Integrator) -> None:
    delivery = integrator.does(services.ping, webhook_id=integrator.endpoint.pk)
    integrator.send_until(lambda: integrator.receiver.events)
    (event,) = integrator.receiver.events
    assert (event["type"], event["data"], event["id"]) == ("webhook.ping", {}, str(delivery.event_id))


def test_an_event_that_is_kept_no_more_is_given_up(integrator: Integrator) -> None:
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.receiver.events)
    (delivery,) = integrator.deliveries()
    with connected("postgres") as found:
        found.execute("DELETE FROM core_domainevent")
        found.commit()
    again = integrator.does(services.replay_delivery, delivery_id=delivery.pk)
    integrator.send_until(lambda: integrator.deliveries(pk=again.pk)[0].state == State.FAILED)
    assert len(integrator.end.taken) == 1


def test_pauses_grow_and_end() -> None:
    pauses = [pause_after(attempts).total_seconds() for attempts in range(1, 8)]
    for pause, wanted in zip(pauses, (15, 60, 240, 960, 3600, 3600, 3600), strict=True):
        assert wanted * 0.8 <= pause <= wanted * 1.2
    for failures, wanted in ((5, 30), (6, 60), (10, 900), (50, 900)):
        assert wanted * 0.8 <= rest_after(failures).total_seconds() <= wanted * 1.2


# --- Setting up --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "x" * 81), ("url", ""), ("url", "http://lab.example.org/"), ("url", "https://127.0.0.1/"),
        ("url", "https://[::1]/"), ("url", "https://169.254.169.254/latest"), ("url", "https://me:pw@lab.example.org/"),
        ("url", "https://2130706433/"), ("events", []), ("events", ["patient.vanished"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(in_riverside: Place, field: str, value: Any) -> None:
    data = {"name": "Laboratory", "url": "https://lab.example.org/hms", "events": ["patient.changed"], field: value}
    with pytest.raises(ValidationFailed) as refused:
        services.create_webhook(actor=system_actor(), data=data)
    assert {one.field for one in refused.value.details} == {field}


def test_names_are_once_and_webhooks_not_without_end(in_riverside: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"name": "Laboratory", "url": "https://lab.example.org/hms", "events": ["patient.changed"]}
    services.create_webhook(actor=system_actor(), data=data)
    with pytest.raises(ValidationFailed):
        services.create_webhook(actor=system_actor(), data=data)
    monkeypatch.setattr(services, "MOST_ENDPOINTS", 1)
    with pytest.raises(Conflict):
        services.create_webhook(actor=system_actor(), data={**data, "name": "Another"})


def test_the_secret_stands_nowhere_in_clear(in_riverside: Place) -> None:
    data = {"name": "Laboratory", "url": "https://lab.example.org/hms", "events": ["patient.changed"]}
    endpoint, first = services.create_webhook(actor=system_actor(), data=data)
    _, second = services.rotate_secret(actor=system_actor(), webhook_id=endpoint.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT encode(secret, 'escape') || encode(old_secret, 'escape') FROM core_webhookendpoint")
        (stored,) = cursor.fetchone()
        kept_values = "string_agg(coalesce(old_values::text, '') || new_values::text, ' ')"
        cursor.execute(f"SELECT {kept_values} FROM core_change WHERE row_id = %s", [endpoint.pk])
        (kept,) = cursor.fetchone()
    for secret in (first, second):
        assert secret not in stored and secret not in kept
    assert WebhookEndpoint.objects.get(pk=endpoint.pk).live_secrets == [second, first]


def test_another_clinic_s_webhook_is_not_found(in_riverside: Place, hillcrest: Place) -> None:
    data = {"name": "Laboratory", "url": "https://lab.example.org/hms", "events": ["patient.changed"]}
    endpoint, _ = services.create_webhook(actor=system_actor(), data=data)
    delivery = services.ping(actor=system_actor(), webhook_id=endpoint.pk)
    with clinic_scope(hillcrest.clinic, reason="test"):
        for refused in (
            lambda: services.ping(actor=system_actor(), webhook_id=endpoint.pk),
            lambda: services.rotate_secret(actor=system_actor(), webhook_id=endpoint.pk),
            lambda: services.update_webhook(actor=system_actor(), webhook_id=endpoint.pk, changes={"is_active": False}),
            lambda: services.replay_delivery(actor=system_actor(), delivery_id=delivery.pk),
        ):
            with pytest.raises(NotFound):
                refused()


def test_a_webhook_that_is_off_sends_nothing_again(in_riverside: Place) -> None:
    actor = system_actor()
    data = {"name": "Laboratory", "url": "https://lab.example.org/hms", "events": ["patient.changed"]}
    endpoint, _ = services.create_webhook(actor=actor, data=data)
    delivery = services.ping(actor=actor, webhook_id=endpoint.pk)
    hour = timezone.now() - timedelta(hours=1)
    for since, until in ((timezone.now(), hour), (timezone.now() - timedelta(days=400), None)):
        with pytest.raises(ValidationFailed):
            services.replay_events(actor=actor, webhook_id=endpoint.pk, since=since, until=until)
    services.update_webhook(actor=actor, webhook_id=endpoint.pk, changes={"is_active": False})
    for refused in (
        lambda: services.ping(actor=actor, webhook_id=endpoint.pk),
        lambda: services.replay_events(actor=actor, webhook_id=endpoint.pk, since=hour),
        lambda: services.replay_delivery(actor=actor, delivery_id=delivery.pk),
    ):
        with pytest.raises(Conflict), transaction.atomic():
            refused()
    with platform_scope(reason="test"):
        assert WebhookDelivery.objects.count() == 0, "the platform's connection sees what is committed"
