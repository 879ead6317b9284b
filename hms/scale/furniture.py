"""What a clinic of the scale database has before its patients: people, places, services and weekly hours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time
from random import Random
from uuid import UUID

from appointments.models import Schedule, Service, ServiceProvider
from clinics.models import ClinicSettings, Department, Location, Provider, Room
from core.accounts.models import Membership, User
from core.accounts.roles import CLINIC_ROLES, Role
from core.pages.demo import local_part
from core.tenancy.models import Clinic
from hms.demo.names import MIXES
from hms.demo.people import name_of
from hms.demo.places import CLINICS, CONSULTING, TREATMENT, DemoClinic
from hms.scale.size import SLOT_MINUTES, WEEKDAYS, Size
from patients.choices import Sex

HOURS = ((time(9, 0), time(12, 20)), (time(13, 0), time(17, 0)))
ZONES = {
    "GB": ("Europe/London",),
    "US": ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
}
TOWNS = (
    "Ashford", "Brookfield", "Cedar Falls", "Dunmore", "Eastgate", "Fairview", "Glenwood", "Harbour", "Ivybridge", "Kingsway",
    "Lakeside", "Millbrook", "Northfield", "Oakham", "Parkside", "Queensbury", "Redhill", "Southgate", "Thornton", "Uplands",
    "Valley", "Westbrook", "Yewtree",
)  # fmt: skip


@dataclass(slots=True)
class Furnished:
    """A clinic with what its patients and visits refer to."""

    clinic: Clinic
    place: DemoClinic
    providers: list[Provider]
    shifts: list[Schedule] = field(default_factory=list)
    offers: list[ServiceProvider] = field(default_factory=list)  # what is booked here: visits that fit into one slot
    treatment_rooms: dict[UUID, Room] = field(default_factory=dict)  # by location
    users: dict[Role, User] = field(default_factory=dict)


def make_clinic(number: int) -> tuple[Clinic, DemoClinic]:
    """The clinic with this number, British and American by turns."""
    place = CLINICS[number % len(CLINICS)]
    zones = ZONES[place.country]
    clinic = Clinic.objects.create(
        slug=slug_of(number),
        name=f"{TOWNS[number % len(TOWNS)]} Medical Group {number}",
        time_zone=zones[number // len(CLINICS) % len(zones)],
        locale=place.locale,
        country=place.country,
        currency=place.currency,
        mrn_prefix=f"S{number:03d}",
    )
    return clinic, place


def slug_of(number: int) -> str:
    return f"scale-{number:03d}"


def email_of(role: Role, number: int) -> str:
    """How the clinic's user of this role signs in."""
    return f"{local_part(role)}@{slug_of(number)}.demo"


def furnish(number: int, size: Size, clinic: Clinic, place: DemoClinic, hashed: str) -> Furnished:
    """Everything but patients and visits. Runs inside the clinic's scope; about 15 statements."""
    rng = Random(f"scale {number}")
    made = Furnished(clinic, place, [], users=_people(number, clinic, place, rng, hashed))
    ClinicSettings.objects.create()
    departments = Department.objects.bulk_create([Department(name=name) for name in place.departments])
    locations = Location.objects.bulk_create(
        [
            Location(name=f"{TOWNS[at % len(TOWNS)]} {at // len(TOWNS) + 1}", address=f"{at + 1} {rng.choice(place.streets)}")
            for at in range(size.locations)
        ]
    )
    rooms = Room.objects.bulk_create(
        [
            Room(location=location, name=name, kind=kind)
            for location in locations
            for name, kind in (("Room 1", CONSULTING), ("Room 2", CONSULTING), ("Treatment", TREATMENT))
        ]
    )
    made.providers = _providers(size, made, place, departments, rng)
    made.offers = _services(place, made.providers)
    made.treatment_rooms = {room.location_id: room for room in rooms if room.kind == TREATMENT}
    made.shifts = _hours(made.providers, locations, rooms)
    return made


def _people(number: int, clinic: Clinic, place: DemoClinic, rng: Random, hashed: str) -> dict[Role, User]:
    users = {
        role: User(email=email_of(role, number), full_name=_full_name(rng, place), password=hashed)
        for role in Role
        if role in CLINIC_ROLES
    }
    User.objects.bulk_create(users.values())
    Membership.objects.bulk_create([Membership(clinic=clinic, user=user, roles=[role]) for role, user in users.items()])
    return users


def _providers(size: Size, made: Furnished, place: DemoClinic, departments: Sequence[Department], rng: Random) -> list[Provider]:
    """Two doctors, then a nurse, and so on; the first doctor is the clinic's user of that role."""
    providers = []
    for position in range(size.providers):
        doctor = position % 3 != 2
        name = made.users[Role.DOCTOR].full_name if position == 0 else _full_name(rng, place)
        providers.append(
            Provider(
                name=f"{'Dr' if doctor else 'Nurse'} {name}",
                kind=Provider.Kind.DOCTOR if doctor else Provider.Kind.NURSE,
                department=departments[0 if doctor else 1],
                user=made.users[Role.DOCTOR] if position == 0 else None,
            )
        )
    return Provider.objects.bulk_create(providers)


def _services(place: DemoClinic, providers: Sequence[Provider]) -> list[ServiceProvider]:
    """The demo's services; the offers of those that fit into one slot come back, the others are never booked here."""
    services = Service.objects.bulk_create(
        [
            Service(
                name=one.name, description=one.description, duration_minutes=one.minutes, buffer_before_minutes=one.before,
                buffer_after_minutes=one.after, price_amount=one.price, tone=one.tone, room_kind=one.room_kind,
            )
            for one in place.services
        ]
    )  # fmt: skip
    offers = ServiceProvider.objects.bulk_create(
        [
            ServiceProvider(service=service, provider=provider)
            for service, one in zip(services, place.services, strict=True)
            for provider in providers
            if provider.kind in one.kinds
        ]
    )
    return [
        offer
        for offer in offers
        if not offer.service.buffer_before_minutes
        and offer.service.duration_minutes + offer.service.buffer_after_minutes <= SLOT_MINUTES
    ]


def _hours(providers: Sequence[Provider], locations: Sequence[Location], rooms: Sequence[Room]) -> list[Schedule]:
    """Each provider at one location a weekday; a doctor always in the same room of it, a nurse in whatever is free."""
    shifts = []
    for position, provider in enumerate(providers):
        for weekday in range(WEEKDAYS):
            at = (position * WEEKDAYS + weekday) % len(locations)
            for start, end in HOURS:
                shifts.append(
                    Schedule(
                        provider=provider,
                        location=locations[at],
                        room=rooms[at * 3] if provider.kind == Provider.Kind.DOCTOR else None,
                        weekday=weekday,
                        start_time=start,
                        end_time=end,
                        slot_minutes=SLOT_MINUTES,
                    )
                )
    return Schedule.objects.bulk_create(shifts)


def _full_name(rng: Random, place: DemoClinic) -> str:
    group = rng.choices([one for one, _ in MIXES[place.country]], [weight for _, weight in MIXES[place.country]])[0]
    return " ".join(name_of(rng, group, rng.choice((Sex.FEMALE, Sex.MALE))))
