"""Plans the demo's today so that it is half over at whatever hour it is started: the working hours go where the clock is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from appointments.choices import Status
from appointments.models import Service
from appointments.slots import moment_of
from clinics.models import Location, Provider, Room
from hms.demo.days import Place, chain, was
from hms.demo.furniture import ClinicView
from hms.demo.visits import CANCEL_REASONS, MINUTE, Deck, Visit, booked_before, dress
from patients.models import Patient

HALF = timedelta(hours=4, minutes=30)
MOST_DONE = 62
OVER_MIDNIGHT = 30 * MINUTE  # the hours may end that long after midnight, so that the day's last minutes are no dead end


@dataclass(frozen=True, slots=True)
class Role:
    """What a provider is at right now: a visit that began `ago` minutes ago, and how long whoever comes next has waited."""

    ago: int
    status: Status
    minutes: int = 0  # in progress or waiting for so long
    next_wait: int | None = None
    urgent: bool = False


ROLES = (
    Role(20, Status.IN_PROGRESS, 16, next_wait=31),
    Role(10, Status.IN_PROGRESS, 8, next_wait=12),
    Role(10, Status.IN_PROGRESS, 4, next_wait=5),
    Role(20, Status.IN_PROGRESS, 19, next_wait=22),
    Role(10, Status.CHECKED_IN, 17, urgent=True),
    Role(20, Status.CHECKED_IN, 44),
    Role(10, Status.IN_PROGRESS, 11),
    Role(20, Status.CONFIRMED),  # late: not here yet
    Role(10, Status.CONFIRMED),
)


@dataclass(frozen=True, slots=True)
class TodayHours:
    """When the clinic works today, in its own time."""

    day: date
    opens: datetime
    closes: datetime

    def wall(self) -> tuple[time, time]:
        """As an extra block says it: an end at or before the start is after midnight."""
        return self.opens.time(), self.closes.time()


@dataclass(slots=True)
class Today:
    """The plan: visits, the hours, who works where, who is away."""

    hours: TodayHours
    visits: list[Visit] = field(default_factory=list)
    at_work: list[tuple[Provider, Location, Room | None]] = field(default_factory=list)
    away: list[Provider] = field(default_factory=list)


def hours_around(now: datetime, view: ClinicView) -> TodayHours:
    """Ordinary hours when the clock is well inside them, else hours around the clock, cut at the day's own ends."""
    zone = view.clinic.zone
    local = now.astimezone(zone)
    day = local.date()
    if time(9) <= local.time() <= time(17):
        return TodayHours(day, *(datetime.combine(day, at, zone) for at in (time(8), time(18))))
    midnight, next_midnight = (moment_of(datetime.combine(one, time()), zone) for one in (day, day + timedelta(days=1)))
    opens = max(midnight, _floor(now - HALF))
    closes = min(next_midnight + OVER_MIDNIGHT if next_midnight - now < timedelta(hours=1) else next_midnight, _floor(now + HALF))
    return TodayHours(day, opens.astimezone(zone), closes.astimezone(zone))


def _floor(moment: datetime) -> datetime:
    """To the ten minutes before."""
    moment = moment.astimezone(UTC)
    return moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)


def plan_today(view: ClinicView, patients: list[Patient], *, now: datetime, first: Patient | None = None) -> Today:
    hours = hours_around(now, view)
    rng = Random(f"{view.clinic.slug} {hours.day.isoformat()} today")
    today = Today(hours)
    with_hours = [provider for provider in view.providers if view.week.get(provider.pk) and view.offered[provider.pk]]
    for position, provider in enumerate(with_hours):
        if position == len(ROLES) - 5 and len(with_hours) >= len(ROLES):
            today.away.append(provider)  # somebody is always on leave
        else:
            block = view.week[provider.pk][0]
            today.at_work.append((provider, block.location, block.room))
    deck = Deck(patients, rng, first)
    _Planner(view, today, now, rng, deck).plan()
    today.visits.sort(key=lambda visit: (visit.start, visit.provider.pk))
    return today


@dataclass(slots=True)
class _Planner:
    view: ClinicView
    today: Today
    now: datetime
    rng: Random
    deck: Deck
    past: list[tuple[int, Place]] = field(default_factory=list)
    coming: list[tuple[int, Place]] = field(default_factory=list)
    free_at: dict[int, datetime] = field(default_factory=dict)  # when a provider's present visit began

    def plan(self) -> None:
        for position in range(len(self.today.at_work)):
            self._around_now(position)
        open_now = len(self.today.visits)
        room_to_book = int(len(self.coming) * 0.72)
        done = min(len(self.past), open_now + room_to_book, MOST_DONE)
        ahead = min(room_to_book, max(done - open_now, min(6, room_to_book)))
        self._were(sorted(self.rng.sample(self.past, done), key=lambda one: one[1].start))
        chosen = sorted(self.rng.sample(self.coming, ahead), key=lambda one: one[1].start)
        for position, place in chosen:
            status = Status.REQUESTED if self.rng.random() < 0.08 else Status.CONFIRMED
            self._add(position, place, status)
        self._cancelled(open_now + ahead - done, [one for one in self.coming if one not in chosen])

    def _around_now(self, position: int) -> None:
        """The present visit, whoever waits for the next one, and the stretches before and after."""
        opens, closes = (moment.astimezone(UTC) for moment in (self.today.hours.opens, self.today.hours.closes))
        last_start = (
            moment_of(datetime.combine(self.today.hours.day + timedelta(days=1), time()), self.view.clinic.zone) - 5 * MINUTE
        )
        role, services, tick = ROLES[position % len(ROLES)], self._services(position), _floor(self.now)
        plain = [one for one in services if not one.buffer_before_minutes and one.duration_minutes <= 30] or services
        begin = max(opens, tick - role.ago * MINUTE)
        present = next(chain(self.rng, plain, begin, begin + 90 * MINUTE))
        self.past += [(position, place) for place in chain(self.rng, services, opens, present.start)]
        visit = self._add(position, present, role.status, urgent=role.urgent)
        cursor = present.free_from
        if visit is not None:
            self._is(position, visit, role)
        if role.next_wait is not None and (
            following := next(chain(self.rng, plain, cursor, cursor + 60 * MINUTE, last_start), None)
        ):
            waiting = self._add(position, following, Status.CHECKED_IN)
            if waiting is not None:
                waiting.checked_in_at = self.now - role.next_wait * MINUTE
                waiting.confirmed_at = None
            cursor = following.free_from
        later = max(cursor, tick + 10 * MINUTE)
        self.coming += [(position, place) for place in chain(self.rng, services, later, closes, last_start)]

    def _is(self, position: int, visit: Visit, role: Role) -> None:
        """Give the present visit its moments. Too little of the day is over for a late one: then it is done already."""
        young = self.now - visit.start < 4 * MINUTE
        if role.status == Status.CONFIRMED and (young or self.now - self.today.hours.opens < 25 * MINUTE):
            visit.status = Status.COMPLETED
            visit.checked_in_at, visit.started_at = self.now - 14 * MINUTE, self.now - 9 * MINUTE
            visit.completed_at = self.now - MINUTE
        elif role.status == Status.CHECKED_IN:
            visit.checked_in_at = self.now - role.minutes * MINUTE
        elif role.status == Status.IN_PROGRESS:
            visit.started_at = self.now - role.minutes * MINUTE
            visit.checked_in_at = min(visit.start, visit.started_at) - self.rng.randrange(3, 12) * MINUTE
            self.free_at[position] = visit.started_at

    def _were(self, places: Sequence[tuple[int, Place]]) -> None:
        free_at: dict[int, datetime] = {}
        for position, place in places:
            visit = self._add(position, place, Status.CONFIRMED)
            if visit is None:
                continue
            until = min(self.now, self.free_at.get(position, self.now)) - MINUTE
            ended = was(self.rng, visit, free_at.get(position), until)
            if ended is not None:
                free_at[position] = ended

    def _cancelled(self, missing: int, free: list[tuple[int, Place]]) -> None:
        """Where little of the day is over, some of what was to come has been cancelled."""
        for position, place in free[: max(0, min(missing, 6))]:
            visit = self._add(position, place, Status.CANCELLED)
            if visit is not None:
                visit.reason = self.rng.choice(CANCEL_REASONS)
                visit.ended_at = self.now - self.rng.randrange(20, 120) * MINUTE

    def _services(self, position: int) -> list[Service]:
        return self.view.offered[self.today.at_work[position][0].pk]

    def _add(self, position: int, place: Place, status: Status, *, urgent: bool = False) -> Visit | None:
        provider, location, room = self.today.at_work[position]
        patient = self.deck.deal(place.service, self.today.hours.day.year)
        if patient is None:
            return None
        booked = booked_before(self.rng, min(place.start, self.now))
        visit = Visit(patient, place.service, provider, location, room, place.start, status, booked, urgent=urgent)
        if urgent:
            visit.booked_at, visit.notes = self.now - 75 * MINUTE, "Chest tightness since this morning, worse on the stairs."
        else:
            dress(self.rng, visit)
        self.today.visits.append(visit)
        return visit
