"""Expected waits: from which durations they come, how they grow, and how their score is recounted by hand."""

from datetime import date, datetime, timedelta
from random import Random
from statistics import quantiles
from uuid import uuid4

import pytest
from django.utils import timezone

from appointments.choices import Priority, TicketSource, TicketStatus
from appointments.models import QueueSeries, Ticket
from appointments.selectors.queue_places import QueuePlace, queue_place
from appointments.selectors.queue_waits import (
    ENOUGH,
    USUAL,
    Durations,
    Estimate,
    Waiting,
    durations_at,
    estimate,
    estimate_score,
    estimates,
)
from core.accounts.roles import Role
from tests.factories.queue import open_queue
from tests.factories.visits import move_to_noon
from tests.factories.world import Place

TEN = Durations(6, 10, 16)


@pytest.fixture
def place(in_riverside: Place) -> Place:
    move_to_noon(in_riverside)
    return open_queue(in_riverside)


def here(place: Place) -> QueuePlace:
    found = queue_place(place.locations[0].pk)
    assert found is not None
    return found


def past(place: Place, many: int, *, seed: int = 1) -> list[Ticket]:
    """Finished tickets of the last days, with waits and durations of all kinds."""
    rng, series = Random(seed), QueueSeries.objects.get(letter="A")
    tickets = []
    for number in range(1, many + 1):
        day = timezone.localdate() - timedelta(days=1 + number % 5)
        taken = datetime(day.year, day.month, day.day, 9, tzinfo=here(place).zone) + timedelta(minutes=number)
        called = taken + timedelta(seconds=rng.randrange(2400))
        told = rng.randrange(25)
        tickets.append(
            Ticket(
                location=place.locations[0], day=day, series=series, letter="A", number=number, source=TicketSource.WALK_IN,
                status=TicketStatus.FINISHED, priority=rng.choice([Priority.EMERGENCY, *[Priority.ORDINARY] * 4]), taken_at=taken,
                queued_at=taken, called_at=called, serving_at=called, ended_at=called + timedelta(seconds=rng.randrange(60, 2400)),
                expected_minutes=told, expected_least=told // 2, expected_most=told * 2,
            )
        )  # fmt: skip
    Ticket.objects.bulk_create(tickets)
    return tickets


def test_durations_are_the_quantiles_of_the_last_weeks(place: Place) -> None:
    tickets = past(place, 200)
    [found] = durations_at(place.locations[0].pk, timezone.localdate()).values()
    minutes = [(one.ended_at - one.serving_at).total_seconds() / 60 for one in tickets if one.ended_at and one.serving_at]
    tenths = quantiles(minutes, n=10, method="inclusive")
    assert (found.least, found.usual, found.most) == pytest.approx((tenths[0], tenths[4], tenths[8]), abs=1e-6)
    assert durations_at(place.locations[0].pk, timezone.localdate() + timedelta(days=60)) == {}
    assert durations_at(place.locations[1].pk, timezone.localdate()) == {}


def test_too_few_visits_say_nothing(place: Place) -> None:
    past(place, ENOUGH - 1)
    assert durations_at(place.locations[0].pk, timezone.localdate()) == {}


@pytest.mark.parametrize(
    "turns, expected", [(0, (0, 0, 3)), (0.5, (5, 2, 9)), (1, (10, 6, 16)), (4, (40, 32, 52)), (1000, (600, 600, 600))]
)
def test_an_estimate_grows_with_the_turns_and_its_spread_with_their_root(turns: float, expected: tuple[int, int, int]) -> None:
    assert estimate(turns, TEN) == Estimate(*expected)


def waiting(series: object, provider: object = None, status: str = "waiting", minutes_ago: int = 0) -> Waiting:
    called = timezone.now() - timedelta(minutes=minutes_ago) if status != "waiting" else None
    return Waiting(uuid4(), series, provider, status, None, called)  # type: ignore[arg-type]


def test_more_who_call_make_a_shorter_wait_and_each_provider_has_a_line() -> None:
    group, hale, haddad = uuid4(), uuid4(), uuid4()
    line = [waiting(group) for _ in range(4)]
    durations, now = {group: TEN}, timezone.now()

    def minutes(rows: list[Waiting], *others: Waiting) -> list[int]:
        found = estimates(rows, others, durations, now)
        return [found[one.id].minutes for one in rows]

    assert minutes(line) == [0, 10, 20, 30]
    one, two = waiting(group, hale, "serving", 5), waiting(group, haddad, "serving", 5)
    assert minutes(line, one) == [5, 15, 25, 35]
    assert minutes(line, one, two) == [5, 10, 15, 20]
    assert minutes(line, one, waiting(group, haddad, "finished", 9)) == [0, 5, 10, 15]
    assert minutes(line, waiting(group, haddad, "finished", 90)) == [0, 10, 20, 30]
    hers = [waiting(group, hale), waiting(group), waiting(group, hale)]
    assert minutes(hers, one) == [5, 5, 15]
    assert estimates([waiting(uuid4())], [], {}, now).popitem()[1] == estimate(0, USUAL)


def test_the_score_is_what_a_recount_gives(place: Place) -> None:
    tickets = past(place, 120, seed=7)
    first, last = timezone.localdate() - timedelta(days=4), timezone.localdate()
    found = estimate_score(actor=place.actor(Role.CLINIC_ADMIN), location_id=place.locations[0].pk, first_day=first, last_day=last)
    counted, inside, errors, biases = 0, 0, 0.0, 0.0
    for one in tickets:
        if one.priority == Priority.EMERGENCY or not first <= one.day <= last:
            continue
        assert one.called_at and one.expected_least is not None and one.expected_most is not None
        waited = (one.called_at - one.taken_at).total_seconds() / 60
        counted += 1
        inside += one.expected_least <= waited <= one.expected_most
        errors += abs(waited - (one.expected_minutes or 0))
        biases += waited - (one.expected_minutes or 0)
    assert found.count == counted > 50
    wanted = (inside / counted, errors / counted, biases / counted)
    assert (found.inside, found.mean_error, found.bias) == pytest.approx(wanted, abs=1e-6)


def test_without_tickets_there_is_no_score(place: Place) -> None:
    day = date(2020, 1, 1)
    found = estimate_score(actor=place.actor(Role.CLINIC_ADMIN), location_id=place.locations[0].pk, first_day=day, last_day=day)
    assert (found.count, found.inside, found.mean_error, found.bias) == (0, None, None, None)
