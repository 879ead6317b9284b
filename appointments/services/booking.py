"""Booking and moving visits: nobody is in two places, and nobody's time is given twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from appointments import events
from appointments.choices import MOVABLE, ChangeKind, ResourceKind, Source, Status
from appointments.errors import OutsideHours, SlotTaken
from appointments.models import Appointment, Claim, Service, ServiceProvider
from appointments.policies import bookable_locations
from appointments.selectors.availability import nearest_slots
from appointments.selectors.offers import offered
from appointments.selectors.timetable import LocationBrief, Timetable, timetable
from appointments.services.claims import Refused, Resource, locked_appointment, release_for_move, take, wanted_by
from appointments.services.history import announce_visit, record_change
from appointments.slots import RoomOption, Shift
from appointments.validators import checked_text
from clinics.models import Location, Provider, Room
from core.accounts.actor import Actor
from core.cache.rows import thawed
from core.errors import Conflict, Detail, ValidationFailed
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Record
from patients.choices import PatientStatus
from patients.models import Patient

GRACE = timedelta(minutes=1)  # between seeing a slot and sending the form
HORIZON = timedelta(days=3 * 366)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a visit can take place, and the rooms to try in this order (None: no room)."""

    location: Location
    zone: ZoneInfo
    rooms: Sequence[Room | None]


def book_appointment(
    *,
    actor: Actor,
    patient_id: UUID,
    service_id: UUID,
    provider_id: UUID,
    start: datetime,
    location_id: UUID | None = None,
    room_id: UUID | None = None,
    notes: str = "",
    source: Source = Source.STAFF,
    is_urgent: bool = False,
) -> Appointment:
    """Book a visit, confirmed. `start` is aware; the end follows from the service.

    Raises ValidationFailed with every wrong field; OutsideHours or SlotTaken with the nearest free slots. 6 statements, and up to 7
    more for what is not kept (hours, rooms, the offer).
    """
    actor.require("appointment", "create")
    wrong: list[Detail] = []
    patient = _patient(patient_id, wrong)
    service, provider = _offer(service_id, provider_id, wrong)
    _check_start(start, wrong)
    notes = checked_text("notes", notes, wrong)
    if source not in Source.values:
        wrong.append(Detail("source", "invalid_choice", _("There is no such source.")))
    if wrong or patient is None or service is None or provider is None:
        _refuse_places(actor, location_id, room_id, wrong)
        raise ValidationFailed(_("Some fields are wrong."), wrong)
    start = start.astimezone(UTC)
    end = start + timedelta(minutes=service.duration_minutes)
    attempt = Attempt(actor, service, provider, patient.id, start, end, location_id)
    place = attempt.place(room_id)
    appointment = Appointment(
        patient=patient,
        service=service,
        provider=provider,
        location=place.location,
        start=start,
        end=end,
        status=Status.CONFIRMED,
        source=source,
        is_urgent=is_urgent,
        notes=notes,
    )
    attempt.claim(appointment, place)
    appointment.save(force_insert=True)
    record_change(actor=actor, appointment=appointment, kind=ChangeKind.BOOKED)
    announce_visit(events.BOOKED, appointment)
    return appointment


def booking_problems(*, actor: Actor, given: Mapping[str, Any]) -> list[Detail]:
    """What is wrong with the values of a booking that are there, by the contract's names. A query for each reference."""
    wrong: list[Detail] = []
    if "patient" in given:
        _patient(given["patient"], wrong)
    if "service" in given:
        _service(given["service"], wrong)
    if "provider" in given:
        _provider(given["provider"], given.get("service"), wrong)
    if "start" in given:
        _check_start(given["start"], wrong)
    if "notes" in given:
        checked_text("notes", given["notes"], wrong)
    _refuse_places(actor, given.get("location"), given.get("room"), wrong)
    return wrong


def reschedule_appointment(
    *,
    actor: Actor,
    appointment_id: UUID,
    start: datetime,
    provider_id: UUID | None = None,
    location_id: UUID | None = None,
    room_id: UUID | None = None,
    reason: str = "",
    expected_version: int | None = None,
) -> Appointment:
    """Give the visit another time, provider, place or room; it keeps its id, length and status, and the move stands in its history.

    Without a place it goes where the provider works then: where it was, if that is one of them. Raises what `book_appointment`
    raises, Conflict for a visit that has begun or ended, PreconditionFailed.
    """
    actor.require("appointment", "reschedule")
    appointment = locked_appointment(actor, appointment_id, expected_version=expected_version)
    if appointment.status not in MOVABLE:
        state = appointment.get_status_display()
        raise Conflict(_("This visit can't be moved: %(state)s.") % {"state": state}, extra={"status": appointment.status})
    wrong: list[Detail] = []
    provider: Provider | None = appointment.provider
    if provider_id is not None and provider_id != appointment.provider_id:
        provider = _provider(provider_id, appointment.service_id, wrong)
    _check_start(start, wrong)
    reason = checked_text("reason", reason, wrong)
    if wrong or provider is None:
        _refuse_places(actor, location_id, room_id, wrong)
        raise ValidationFailed(_("Some fields are wrong."), wrong)
    was = appointment.start, appointment.provider_id, appointment.location_id
    old = _resources(appointment)
    start = start.astimezone(UTC)
    end = start + (appointment.end - appointment.start)
    attempt = Attempt(actor, appointment.service, provider, appointment.patient_id, start, end, location_id, moving=appointment.id)
    place = attempt.place(room_id, preferred=appointment.location_id)
    appointment.provider, appointment.location = provider, place.location
    appointment.start, appointment.end = start, end
    attempt.claim(appointment, place, old=old)
    appointment.save()
    record_change(
        actor=actor, appointment=appointment, kind=ChangeKind.MOVED, from_status=appointment.status,
        from_start=was[0], from_provider_id=was[1], reason=reason,
    )  # fmt: skip
    announce_visit(events.MOVED, appointment, from_location=was[2] if was[2] != appointment.location_id else None)
    return appointment


def reclaim(actor: Actor, appointment: Appointment) -> None:
    """Take back what a visit had given up. Raises SlotTaken when somebody has it now. Two statements."""
    visit = appointment
    attempt = Attempt(
        actor, visit.service, visit.provider, visit.patient_id, visit.start, visit.end, visit.location_id, moving=visit.id
    )
    attempt.claim(appointment, Place(visit.location, ZoneInfo(visit.time_zone), [visit.room]))


@dataclass(slots=True)
class Attempt:
    """One try to get a provider and a patient together, at one location or anywhere; knows what to offer instead."""

    actor: Actor
    service: Service
    provider: Provider
    patient_id: UUID
    start: datetime
    end: datetime
    location_id: UUID | None = None
    moving: UUID | None = None

    def place(self, room_id: UUID | None, preferred: UUID | None = None) -> Place:
        """The location whose hours hold the visit and the rooms to try. Raises OutsideHours or ValidationFailed. 0-1 query."""
        first_day, last_day = self._days
        table = timetable(actor=self.actor, first_day=first_day, last_day=last_day, provider_id=self.provider.id)
        room = table.rooms.get(room_id) if room_id else None
        wrong: list[Detail] = []
        if room_id is not None and room is None:
            wrong.append(Detail("room", "not_found", _("There is no such room in use.")))
        if self.location_id is not None and self.location_id not in table.locations:
            _refuse_places(self.actor, self.location_id, None, wrong)
        if room and self.location_id and room.location_id != self.location_id:
            wrong.append(Detail("room", "wrong_location", _("This room is at another location.")))
        if wrong:
            raise ValidationFailed(_("Some fields are wrong."), wrong)
        if room:
            self.location_id = room.location_id
        shift = self._shift(table, preferred)
        location = named(Location, table.locations[shift.block.location_id])
        rooms = [room] if room else self._rooms(shift, table)
        return Place(location, shift.block.zone, [named(Room, one) if one else None for one in rooms])

    def claim(self, appointment: Appointment, place: Place, old: Sequence[Resource] = ()) -> None:
        """Take patient, provider and a room of the place, and write time, zone and room into the visit. Raises SlotTaken."""
        rooms = [(ResourceKind.ROOM, room.id) for room in place.rooms if room]
        people = [(ResourceKind.PATIENT, self.patient_id), (ResourceKind.PROVIDER, self.provider.id)]
        holding = [*people, *rooms, *old]
        if old:
            release_for_move(appointment.id, holding)
        kinds: frozenset[ResourceKind] = frozenset({ResourceKind.ROOM})
        for room in place.rooms:
            claims = wanted_by(
                self.service, patient_id=self.patient_id, provider_id=self.provider.id,
                room_id=room.id if room else None, start=self.start, end=self.end,
            )  # fmt: skip
            try:
                take(appointment.id, claims, holding=holding)
            except Refused as refused:
                kinds = refused.kinds
                if kinds != {ResourceKind.ROOM}:
                    break
                continue
            appointment.room, appointment.time_zone = room, place.zone.key
            appointment.local_day = self.start.astimezone(place.zone).date()
            return
        raise self.taken(kinds)

    def taken(self, kinds: frozenset[ResourceKind]) -> SlotTaken:
        sentences = {
            ResourceKind.PATIENT: ("patient", _("The patient has another visit at this time.")),
            ResourceKind.PROVIDER: ("start", _("%(provider)s is taken at this time.") % {"provider": self.provider.name}),
            ResourceKind.ROOM: ("room", _("There is no free room at this time.")),
        }
        details = [Detail(sentences[kind][0], f"{kind.value}_taken", sentences[kind][1]) for kind in sorted(kinds)]
        return SlotTaken(" ".join(detail.message for detail in details), details, {"alternatives": self.alternatives()})

    def alternatives(self) -> list[dict[str, object]]:
        """The nearest free slots, ready for JSON. 6 queries."""
        found = nearest_slots(
            actor=self.actor, service=self.service, near=self.start, provider_id=self.provider.id,
            location_id=self.location_id, patient_id=self.patient_id, moving=self.moving,
        )  # fmt: skip
        # Whoever has just taken this time may have committed before we refused, and be announced after we looked.
        return [slot.as_json() for slot in found if (slot.provider.id, slot.start) != (self.provider.id, self.start)]

    @property
    def _days(self) -> tuple[date, date]:
        """To which local days a shift at this time may belong, in any zone and over midnight."""
        return self.start.date() - timedelta(days=2), self.start.date() + timedelta(days=1)

    def _shift(self, table: Timetable, preferred: UUID | None) -> Shift:
        fitting = [
            shift
            for shift in table.shifts(*self._days)
            if shift.holds(self.start, self.end) and self.location_id in (None, shift.block.location_id)
        ]
        if not fitting:
            message = _("%(provider)s does not work then.") % {"provider": self.provider.name}
            raise OutsideHours(message, [Detail("start", "outside_hours", message)], {"alternatives": self.alternatives()})
        return min(fitting, key=lambda shift: shift.block.location_id != preferred)

    def _rooms(self, shift: Shift, table: Timetable) -> Sequence[RoomOption | None]:
        """The shift's own room, else the free ones of the needed kind, in the order in which they are given out; none at all is
        [None]. 0-1 query.
        """
        if (own := shift.block.room_id) and own in table.rooms:
            return [table.rooms[own]]
        if not self.service.room_kind:
            return [None]
        place, kind = shift.block.location_id, self.service.room_kind
        of_kind = {room.id: room for room in table.rooms.values() if room.location_id == place and room.kind == kind}
        since = self.start - timedelta(minutes=self.service.buffer_before_minutes)
        until = self.end + timedelta(minutes=self.service.buffer_after_minutes)
        busy = Claim.objects.filter(
            resource_kind=ResourceKind.ROOM, resource_id__in=of_kind, ends_at__gt=since, starts_at__lt=until
        )
        if self.moving is not None:
            busy = busy.exclude(appointment_id=self.moving)
        taken = set(busy.values_list("resource_id", flat=True))
        return [room for room in of_kind.values() if room.id not in taken]


def named[M: Record](model: type[M], brief: LocationBrief | RoomOption) -> M:
    """The row of which a brief is kept, with its name; the rest is fetched when somebody asks for it. No query."""
    return thawed(model, (("id", brief.id), ("clinic_id", current_clinic_id()), ("name", brief.name)))


def _resources(appointment: Appointment) -> list[Resource]:
    held = [(ResourceKind.PATIENT, appointment.patient_id), (ResourceKind.PROVIDER, appointment.provider_id)]
    if appointment.room_id:
        held.append((ResourceKind.ROOM, appointment.room_id))
    return held


def _patient(patient_id: UUID, wrong: list[Detail]) -> Patient | None:
    patient = Patient.objects.for_list().filter(pk=patient_id).first()
    if patient is None:
        wrong.append(Detail("patient", "not_found", _("There is no such patient.")))
    elif patient.status != PatientStatus.ACTIVE:
        state = patient.get_status_display()
        wrong.append(Detail("patient", "not_active", _("This patient can't be booked: %(state)s.") % {"state": state}))
    return patient


def _offer(service_id: UUID, provider_id: UUID, wrong: list[Detail]) -> tuple[Service | None, Provider | None]:
    """Service and provider when the one is offered by the other, in one query; else what is wrong with each."""
    offer = offered(service_id, provider_id)
    if offer is not None and all(one.is_active for one in offer):
        return offer
    return _service(service_id, wrong), _provider(provider_id, service_id, wrong)


def _service(service_id: UUID, wrong: list[Detail]) -> Service | None:
    service = Service.objects.filter(pk=service_id).first()
    if service is None:
        wrong.append(Detail("service", "not_found", _("There is no such service.")))
    elif not service.is_active:
        wrong.append(Detail("service", "not_active", _("This service can't be booked any more.")))
    return service


def _provider(provider_id: UUID, service_id: UUID | None, wrong: list[Detail]) -> Provider | None:
    offers = Exists(ServiceProvider.objects.filter(provider=OuterRef("pk"), service=service_id))
    provider = Provider.objects.annotate(offers_it=offers).filter(pk=provider_id).first()
    if provider is None:
        wrong.append(Detail("provider", "not_found", _("There is no such provider.")))
    elif not provider.is_active:
        wrong.append(Detail("provider", "not_active", _("This provider can't be booked any more.")))
    elif service_id and not provider.offers_it and not any(detail.field == "service" for detail in wrong):
        wrong.append(Detail("provider", "not_offered", _("This provider does not offer the service.")))
    return provider


def _check_start(start: datetime, wrong: list[Detail]) -> None:
    now = timezone.now()
    if timezone.is_naive(start):
        wrong.append(Detail("start", "invalid", _("Say the time with its offset from UTC.")))
    elif start < now - GRACE:
        wrong.append(Detail("start", "in_past", _("This time is past.")))
    elif start > now + HORIZON:
        wrong.append(Detail("start", "too_far", _("This is more than three years ahead.")))


def _refuse_places(actor: Actor, location_id: UUID | None, room_id: UUID | None, wrong: list[Detail]) -> None:
    """Name a location or room that can't be booked, beside what else is wrong. A query for each that is given."""
    places = bookable_locations(actor)
    if location_id is not None and not places.filter(pk=location_id).exists():
        wrong.append(Detail("location", "not_found", _("There is no such location.")))
    if room_id is not None and not Room.objects.filter(pk=room_id, is_active=True, location__in=places).exists():
        wrong.append(Detail("room", "not_found", _("There is no such room in use.")))
