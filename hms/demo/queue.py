"""The demo's waiting rooms: tickets of those who have checked in, some walk-ins, a board and a kiosk at each location."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from appointments.choices import Priority, ScreenKind, Status, TicketSource, TicketStatus, priority_of
from appointments.models import (
    Appointment,
    LocationQueue,
    QueueScreen,
    QueueSeries,
    SeriesService,
    Service,
    Ticket,
    TicketChange,
)
from clinics.models import Location, Room
from core.accounts.roles import Role
from hms.demo.furniture import ClinicView
from hms.demo.rows import insert_rows
from hms.demo.visits import MINUTE

GROUPS = (
    ("A", "Doctor or nurse", ()),
    ("B", "Blood test, vaccination, wound care", ("Blood test", "Vaccination", "Wound care")),
    ("C", "ECG, physiotherapy", ("ECG", "Physiotherapy")),
)
REMEMBERED = 14  # days of the past with tickets: enough to tell how long a wait will be
OF_VISIT = {
    Status.COMPLETED: TicketStatus.FINISHED,
    Status.IN_PROGRESS: TicketStatus.SERVING,
    Status.CHECKED_IN: TicketStatus.WAITING,
}
WALK_INS_A_DAY = 5
TODAYS_MINUTES = 100  # that the walk-ins below take together; sooner after midnight their minutes are shorter
# Today's walk-ins of each location: group, minutes since the ticket was taken, and what has become of it.
WALK_INS = (
    ("B", 96, TicketStatus.FINISHED),
    ("A", 71, TicketStatus.FINISHED),
    ("B", 52, TicketStatus.LEFT),
    ("B", 38, TicketStatus.FINISHED),
    ("C", 27, TicketStatus.SKIPPED),
    ("A", 24, TicketStatus.CALLED),
    ("B", 19, TicketStatus.CALLED),
    ("A", 16, TicketStatus.WAITING),
    ("B", 9, TicketStatus.WAITING),
    ("A", 3, TicketStatus.WAITING),
)


def open_queues() -> None:
    """Tickets, groups and screens for every location, unless there are some."""
    if LocationQueue.objects.exists():
        return
    services = dict(Service.objects.values_list("name", "id"))
    for letter, name, named in GROUPS:
        series = QueueSeries.objects.create(letter=letter, name=name)
        members = [SeriesService(series=series, service_id=services[one]) for one in named if one in services]
        SeriesService.objects.bulk_create(members)
    locations = list(Location.objects.filter(is_active=True))
    LocationQueue.objects.bulk_create([LocationQueue(location=one) for one in locations])
    QueueScreen.objects.bulk_create(
        [
            QueueScreen(kind=kind, location=one, name=name)
            for one in locations
            for kind, name in ((ScreenKind.BOARD, "Waiting room"), (ScreenKind.KIOSK, "Entrance"))
        ]
    )


def clear_tickets(day: date | None) -> None:
    """Take away one day's tickets, or all; as the owner, for nobody else may."""
    tickets = Ticket.objects.all() if day is None else Ticket.objects.filter(day=day)
    TicketChange.objects.filter(ticket_id__in=tickets.values("pk"))._raw_delete("default")
    tickets._raw_delete("default")


def add_tickets(view: ClinicView, appointments: Iterable[Appointment], now: datetime) -> None:
    """Tickets for everybody who has checked in within the last two weeks, and for walk-ins between them."""
    planner = _Planner(view, now, {one.letter: one for one in QueueSeries.objects.all()})
    planner.read()
    today = now.astimezone(view.clinic.zone).date()
    for visit in appointments:
        if visit.checked_in_at is not None and today - timedelta(days=REMEMBERED) <= visit.local_day <= today:
            planner.of_visit(visit)
    planner.walk_in_of_today()
    planner.walk_ins_of_the_past(today)
    insert_rows(list(planner.numbered()))
    insert_rows(list(planner.steps(today)))


@dataclass(slots=True)
class _Planner:
    view: ClinicView
    now: datetime
    groups: dict[str, QueueSeries]
    rng: Random = field(default_factory=lambda: Random("tickets"))
    letters: dict[UUID, str] = field(default_factory=dict)
    rooms: dict[UUID, list[Room]] = field(default_factory=dict)
    zones: dict[UUID, ZoneInfo] = field(default_factory=dict)
    tickets: list[Ticket] = field(default_factory=list)

    def read(self) -> None:
        of_group = {one.pk: letter for letter, one in self.groups.items()}
        self.letters = {
            service: of_group[series] for series, service in SeriesService.objects.values_list("series_id", "service_id")
        }
        for room in Room.objects.filter(is_active=True).order_by("name"):
            self.rooms.setdefault(room.location_id, []).append(room)
        for place in Location.objects.filter(is_active=True):
            self.zones[place.pk] = ZoneInfo(place.time_zone or self.view.clinic.time_zone)

    def of_visit(self, visit: Appointment) -> None:
        arrived = visit.checked_in_at
        status = OF_VISIT.get(Status(visit.status))
        if arrived is None or status is None:
            return
        age = visit.patient.age_on(visit.local_day)
        priority, since = priority_of(arrived=arrived, is_emergency=visit.is_urgent, age=age, start=visit.start)
        ticket = self._ticket(visit.location_id, visit.local_day, self.letters.get(visit.service_id, "A"), arrived)
        ticket.source, ticket.status = TicketSource.APPOINTMENT, status
        ticket.appointment, ticket.patient_id, ticket.service_id = visit, visit.patient_id, visit.service_id
        ticket.provider_id, ticket.room_id = visit.provider_id, visit.room_id
        ticket.priority, ticket.queued_at = priority, since
        if visit.started_at is not None:
            self._was_called(ticket, max(arrived, visit.started_at - MINUTE), visit.started_at, visit.completed_at)

    def walk_in_of_today(self) -> None:
        """Shortly after midnight the same happens in the minutes there are: a board is never empty."""
        for location_id, zone in self.zones.items():
            day = self.now.astimezone(zone).date()
            begun = datetime.combine(day, time(), zone)
            minute = min(MINUTE, (self.now - begun) / TODAYS_MINUTES)
            for letter, ago, status in WALK_INS:
                self._walk_in(location_id, day, letter, self.now - ago * minute, status, minute)

    def walk_ins_of_the_past(self, today: date) -> None:
        busy = sorted({(one.location_id, one.day) for one in self.tickets if one.day < today})
        for location_id, day in busy:
            for number in range(WALK_INS_A_DAY):
                hour = datetime(day.year, day.month, day.day, 9 + number, self.rng.randrange(60), tzinfo=self.zones[location_id])
                self._walk_in(location_id, day, self.rng.choice("ABB"), hour, TicketStatus.FINISHED)

    def _walk_in(
        self, location_id: UUID, day: date, letter: str, taken: datetime, status: TicketStatus, minute: timedelta = MINUTE
    ) -> None:
        ticket = self._ticket(location_id, day, letter, taken)
        ticket.source, ticket.status = TicketSource.WALK_IN, status
        ticket.priority, ticket.queued_at = Priority.ORDINARY, taken
        if status == TicketStatus.WAITING:
            return
        if status == TicketStatus.LEFT:
            ticket.ended_at = taken + 25 * minute
            return
        ticket.room_id = self.rng.choice(self.rooms[location_id]).pk
        called = (
            self.now - (2 * minute if letter == "A" else minute)
            if status == TicketStatus.CALLED
            else taken + self.rng.randrange(4, 18) * minute
        )
        inside = called + minute if status == TicketStatus.FINISHED else None
        self._was_called(ticket, called, inside, inside + self.rng.randrange(6, 16) * minute if inside else None)

    def _ticket(self, location_id: UUID, day: date, letter: str, taken: datetime) -> Ticket:
        ticket = Ticket(
            location_id=location_id, day=day, series=self.groups[letter], letter=letter, taken_at=taken, queued_at=taken
        )
        ticket.created_at = ticket.updated_at = taken
        self.tickets.append(ticket)
        return ticket

    def _was_called(self, ticket: Ticket, called: datetime, inside: datetime | None, ended: datetime | None) -> None:
        ticket.called_at = ticket.last_called_at = called
        ticket.serving_at, ticket.ended_at, ticket.calls = inside, ended, 1
        ticket.updated_at = ended or inside or called
        waited = (called - ticket.taken_at).total_seconds() / 60
        told = max(0, round(waited * self.rng.uniform(0.55, 1.5)))
        ticket.expected_minutes, ticket.expected_least, ticket.expected_most = told, round(told * 0.6), round(told * 1.5) + 3

    def numbered(self) -> Iterator[Ticket]:
        """In the order in which they were taken, counted by location, day and letter."""
        counts: Counter[tuple[UUID, date, str]] = Counter()
        for ticket in sorted(self.tickets, key=lambda one: one.taken_at):
            place = (ticket.location_id, ticket.day, ticket.letter)
            counts[place] += 1
            ticket.number = counts[place]
            yield ticket

    def steps(self, today: date) -> Iterator[TicketChange]:
        """Today's alone: who took them is asked about the present day."""
        desk = self.view.users.get(Role.RECEPTIONIST)
        for ticket in self.tickets:
            if ticket.day != today:
                continue
            before = ""
            for at, action, status in _way(ticket):
                yield TicketChange(
                    ticket=ticket, at=at, action=action, from_status=before, to_status=status,
                    actor=desk, actor_name=desk.full_name if desk else "Reception", room_id=ticket.room_id,
                )  # fmt: skip
                before = status


def _way(ticket: Ticket) -> Iterator[tuple[datetime, str, TicketStatus]]:
    yield ticket.taken_at, "create", TicketStatus.WAITING
    if ticket.called_at:
        yield ticket.called_at, "call", TicketStatus.CALLED
    if ticket.serving_at:
        yield ticket.serving_at, "serve", TicketStatus.SERVING
    if ticket.status == TicketStatus.SKIPPED and ticket.called_at:
        yield ticket.called_at + min(2 * MINUTE, (ticket.called_at - ticket.taken_at) / 4), "skip", TicketStatus.SKIPPED
    if ticket.ended_at:
        over = TicketStatus(ticket.status)
        yield ticket.ended_at, "leave" if over == TicketStatus.LEFT else "finish", over
