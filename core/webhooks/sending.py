"""Sends what is due: `deliver_due()`, for the job `webhooks.send` and for `manage.py send_webhooks`. Several may do it at once.

First the events that nobody has looked at become deliveries, one for each endpoint that wants them. Then deliveries are
taken under SKIP LOCKED, a few at a time, sent side by side outside of any transaction, and noted. Of one endpoint the events about
one record go out one after the other: the next one waits until the one before was taken or given up. Clinics take turns,
each one's first before anybody's second: one with much to send, or slow receivers, holds the others up for one time-out at most.
"""

import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.events.models import DomainEvent
from core.outbound.errors import OutboundTrouble
from core.outbound.signing import HEADER, signature
from core.tenancy.context import platform_scope
from core.webhooks.models import PING, TRIED_FOR, WebhookDelivery, WebhookEndpoint
from core.webhooks.switching_off import switch_off

logger = logging.getLogger(__name__)

AT_ONCE, AT_ONCE_FOR_ONE = 32, 8  # deliveries in hand, of all endpoints and of one
LEASE = timedelta(minutes=1)  # after which another sender takes what a dead one had in hand; longer than a request lasts
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = timedelta(seconds=15), 4, timedelta(hours=1)  # between two tries of one delivery
LIMIT = 5  # failures of an endpoint in a row, from which on it is left alone and then tried by one delivery
FIRST_REST, LONGEST_REST = timedelta(seconds=30), timedelta(minutes=15)
PATIENCE = TRIED_FOR  # after so long without one success an endpoint is switched off
GONE = 410

State = WebhookDelivery.State

SPREAD = """
WITH taken AS (
    SELECT e.id, e.clinic_id, e.events, e.after_position, n.newest
    FROM core_webhookendpoint e CROSS JOIN LATERAL (
        SELECT max(v.position) AS newest FROM core_domainevent v WHERE v.clinic_id = e.clinic_id AND v.position > e.after_position
    ) n
    WHERE e.is_active AND n.newest IS NOT NULL
    FOR UPDATE OF e SKIP LOCKED
),
made AS (
    INSERT INTO core_webhookdelivery (id, clinic_id, endpoint_id, event_id, name, about_id, seq, happened_at, is_replay, state,
        attempts, cause, created_at, due_at, expires_at)
    SELECT gen_random_uuid(), t.clinic_id, t.id, v.id, v.name, v.about_id, v.seq, v.at, false, 'waiting', 0, '', %(now)s, %(now)s,
        %(until)s
    FROM taken t JOIN core_domainevent v ON v.clinic_id = t.clinic_id AND v.position > t.after_position AND v.position <= t.newest
    WHERE v.name = ANY (t.events)
    ON CONFLICT (clinic_id, endpoint_id, event_id) WHERE NOT is_replay DO NOTHING
)
UPDATE core_webhookendpoint e SET after_position = greatest(e.after_position, t.newest)
FROM taken t WHERE e.clinic_id = t.clinic_id AND e.id = t.id
"""

# Of each endpoint the first few, through an index: what waits behind them costs nothing. Just after many came the planner doesn't
# know of them yet: OFFSET 0 lets it ask of each one by itself what is before it, instead of all of all; and the rows that are
# locked are found by their ids, as no index is made for NOT IN.
CLAIM = """
WITH due AS (
    SELECT first.id, e.clinic_id, first.seq, first.place
    FROM core_webhookendpoint e CROSS JOIN LATERAL (
        SELECT d.id, d.seq, row_number() OVER (ORDER BY d.seq, d.id) AS place
        FROM core_webhookdelivery d
        WHERE d.clinic_id = e.clinic_id AND d.endpoint_id = e.id AND d.state IN ('waiting', 'sending') AND d.due_at <= %(now)s
            AND NOT EXISTS (
                SELECT FROM core_webhookdelivery b
                WHERE b.clinic_id = d.clinic_id AND b.endpoint_id = d.endpoint_id AND b.about_id = d.about_id
                    AND (b.seq, b.id) < (d.seq, d.id) AND b.state IN ('waiting', 'sending')
                OFFSET 0
            )
        ORDER BY d.seq, d.id LIMIT %(for_one)s
    ) first
    WHERE e.is_active AND (e.rests_until IS NULL OR e.rests_until <= %(now)s) AND (first.place = 1 OR e.failures < %(limit)s)
),
fair AS (SELECT id, row_number() OVER (PARTITION BY clinic_id ORDER BY place, seq, id) AS turn FROM due)
SELECT d.id FROM core_webhookdelivery d JOIN fair ON fair.id = d.id
WHERE d.state NOT IN ('succeeded', 'failed') AND d.due_at <= %(now)s
ORDER BY fair.turn, d.seq, d.id LIMIT %(most)s FOR UPDATE OF d SKIP LOCKED
"""


# The next moment at which something can be sent that can't now: a pause ends. Or soon: an event came while others were looked at.
NEXT = """
SELECT least(
    (SELECT min(greatest(d.due_at, coalesce(e.rests_until, d.due_at)))
     FROM core_webhookdelivery d JOIN core_webhookendpoint e ON e.clinic_id = d.clinic_id AND e.id = d.endpoint_id
     WHERE d.state = 'waiting' AND e.is_active AND greatest(d.due_at, coalesce(e.rests_until, d.due_at)) > %(now)s),
    (SELECT %(soon)s WHERE EXISTS (
        SELECT FROM core_webhookendpoint e JOIN core_domainevent v ON v.clinic_id = e.clinic_id AND v.position > e.after_position
        WHERE e.is_active AND v.name = ANY (e.events)))
)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try went: the status (0: no answer), why it failed ("" for success), the seconds to wait at least."""

    status: int
    cause: str
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class _Letter:
    """What goes out: made before anything is sent, so that sending needs no database."""

    url: str
    secrets: Sequence[str]
    body: bytes
    headers: dict[str, str]


def deliver_due(until: Callable[[], bool] = lambda: False) -> int:
    """Send everything that is due; returns how many tries that were. Never inside of a platform scope.

    One statement, and for each 32 deliveries some six and one or two for each of them.
    """
    give_up()
    tried = 0
    while not until():
        spread_events()  # what happened while the last ones were sent has its turn among the next
        batch = _claimed()
        if not batch:
            break
        _deliver(batch)
        tried += len(batch)
    return tried


def next_due(soon: timedelta) -> datetime | None:
    """When something is due that isn't yet. Events that nobody has looked at: after `soon`. One query."""
    now = timezone.now()
    with platform_scope(reason="webhooks"), connections["platform"].cursor() as cursor:
        cursor.execute(NEXT, {"now": now, "soon": now + soon})
        (moment,) = cursor.fetchone()
    found: datetime | None = moment
    return found


def spread_events() -> None:
    """Make deliveries of the events that nobody has looked at. One statement, whatever their number."""
    now = timezone.now()
    with platform_scope(reason="webhooks"), connections["platform"].cursor() as cursor:
        cursor.execute(SPREAD, {"now": now, "until": now + TRIED_FOR})


def give_up() -> None:
    """What has been tried for its time is tried no more. One statement."""
    now = timezone.now()
    with platform_scope(reason="webhooks"):
        waiting = WebhookDelivery.objects.filter(state__in=[State.WAITING, State.SENDING], due_at__lte=now)
        waiting.filter(expires_at__lte=now).update(state=State.FAILED)


def _claimed() -> list[WebhookDelivery]:
    """Some that are due, marked as being sent. An endpoint that was left alone gets one of them, and nobody else meanwhile."""
    now = timezone.now()
    with platform_scope(reason="webhooks"):
        with connections["platform"].cursor() as cursor:
            cursor.execute(CLAIM, {"now": now, "limit": LIMIT, "for_one": AT_ONCE_FOR_ONE, "most": AT_ONCE})
            ids = [pk for (pk,) in cursor.fetchall()]
        if not ids:
            return []
        taken = WebhookDelivery.objects.filter(pk__in=ids)
        taken.update(state=State.SENDING, due_at=now + LEASE, tried_at=now, attempts=F("attempts") + 1)
        batch = list(taken.select_related("endpoint").order_by("seq", "id"))
        tried = {one.endpoint_id for one in batch if one.endpoint.failures >= LIMIT}
        if tried:
            WebhookEndpoint.objects.filter(pk__in=tried).update(rests_until=now + LEASE)
        return batch


def _deliver(batch: Sequence[WebhookDelivery]) -> None:
    """Send them side by side, and note each as soon as it is known."""
    letters = _letters(batch)
    for delivery in batch:
        if delivery.pk not in letters:
            _note_lost(delivery)
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="hms-webhook") as pool:
        sent = {pool.submit(_sent, letters[one.pk]): one for one in batch if one.pk in letters}
        for future in as_completed(sent):
            _note(sent[future], future.result())


def _letters(batch: Iterable[WebhookDelivery]) -> dict[UUID, _Letter]:
    """What each is to say, by its id; those are missing whose event is kept no more. One query."""
    batch = list(batch)
    with platform_scope(reason="webhooks"):
        events = DomainEvent.objects.in_bulk([one.event_id for one in batch if one.name != PING])
    made = {}
    for one in batch:
        event = events.get(one.event_id)
        if event is None and one.name != PING:
            continue
        headers = {"Content-Type": "application/json", "HMS-Event": one.name, "HMS-Delivery": str(one.pk)}
        made[one.pk] = _Letter(one.endpoint.url, one.endpoint.live_secrets, body_of(one, event), headers)
    return made


def body_of(delivery: WebhookDelivery, event: DomainEvent | None) -> bytes:
    """The JSON that is sent; the same at every try and every replay."""
    said: dict[str, Any] = {
        "id": str(delivery.event_id),
        "type": delivery.name,
        "version": event.schema if event else 1,
        "clinic": str(delivery.clinic_id),
        "sequence": delivery.seq,
        "happened_at": delivery.happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": event.data if event else {},
    }
    return json.dumps(said, separators=(",", ":")).encode()


def _sent(letter: _Letter) -> Outcome:
    """One try. Signed at this moment: an old one that somebody kept is known by its time."""
    from core.outbound.client import retry_after  # the package takes megabytes of a process that sends nothing
    from core.outbound.typed import post_typed

    headers = {**letter.headers, HEADER: signature(letter.secrets, int(time.time()), letter.body)}
    try:
        answer = post_typed(letter.url, body=letter.body, headers=headers, allowed=settings.HMS_WEBHOOK_ALLOW)
    except OutboundTrouble as trouble:
        is_taken = 200 <= trouble.status < 300  # the head has said so, whatever comes behind it
        return Outcome(trouble.status, "" if is_taken else trouble.cause)
    if answer.ok:
        return Outcome(answer.status, "")
    return Outcome(answer.status, f"HTTP {answer.status}", retry_after(answer.headers) if answer.status in (429, 503) else 0.0)


def _note(delivery: WebhookDelivery, outcome: Outcome) -> None:
    with platform_scope(reason="webhooks"):
        if outcome.cause:
            _note_failure(delivery, outcome)
        else:
            _note_success(delivery, outcome)


def _note_success(delivery: WebhookDelivery, outcome: Outcome) -> None:
    now = timezone.now()
    delivery.state, delivery.status, delivery.cause, delivery.taken_at = State.SUCCEEDED, outcome.status, "", now
    delivery.save(update_fields=["state", "status", "cause", "taken_at"])
    endpoint = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
    well = {"failures": 0, "failing_since": None, "rests_until": None}
    if endpoint.filter(failures__gte=LIMIT).update(**well):  # it is back: what waited for it need not wait longer
        WebhookDelivery.objects.filter(endpoint_id=delivery.endpoint_id, state=State.WAITING).update(due_at=now)
    elif delivery.endpoint.failures:
        endpoint.update(**well)


def _note_failure(delivery: WebhookDelivery, outcome: Outcome) -> None:
    now = timezone.now()
    delivery.status, delivery.cause = outcome.status or None, outcome.cause
    delivery.due_at = now + max(pause_after(delivery.attempts), timedelta(seconds=min(outcome.wait, LONGEST_PAUSE.total_seconds())))
    delivery.state = State.WAITING if delivery.due_at < delivery.expires_at else State.FAILED
    delivery.save(update_fields=["state", "status", "cause", "due_at"])
    rows = WebhookEndpoint.objects.filter(pk=delivery.endpoint_id)
    rows.update(failures=F("failures") + 1, failing_since=Coalesce(F("failing_since"), Value(now)))
    endpoint = rows.get()
    if endpoint.failures >= LIMIT:
        rows.update(rests_until=now + rest_after(endpoint.failures))
    if outcome.status == GONE:
        switch_off(endpoint, why="410")
    elif endpoint.failing_since is not None and endpoint.failing_since <= now - PATIENCE:
        switch_off(endpoint, why=outcome.cause)


def _note_lost(delivery: WebhookDelivery) -> None:
    with platform_scope(reason="webhooks"):
        delivery.state, delivery.cause = State.FAILED, "event no longer kept"
        delivery.save(update_fields=["state", "cause"])


def pause_after(attempts: int) -> timedelta:
    """Until the next try of a delivery that has failed so often: 15 seconds, a minute, 4, 16, every hour; 20 % more or less."""
    return _jittered(min(LONGEST_PAUSE, FIRST_PAUSE * GROWTH ** min(attempts - 1, 10)))


def rest_after(failures: int) -> timedelta:
    """How long an endpoint is left alone: half a minute, doubled up to 15 minutes; 20 % more or less."""
    return _jittered(min(LONGEST_REST, FIRST_REST * 2 ** min(failures - LIMIT, 10)))


def _jittered(pause: timedelta) -> timedelta:
    return pause * random.uniform(0.8, 1.2)  # noqa: S311  (not all at the same moment)
