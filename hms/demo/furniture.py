"""Sets up a demo clinic before its first day: places, people who work there, services, weekly hours, sign-ins."""

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password

from appointments.models import Schedule, Service, ServiceProvider
from clinics.models import ClinicSettings, Department, Location, Provider, Room
from core.accounts.models import Membership, User
from core.accounts.roles import CLINIC_ROLES, PLATFORM_ROLES, Role
from core.pages.demo import SUPERUSER, local_part
from core.tenancy.models import Clinic
from hms.demo.places import CONSULTING, TREATMENT, DemoClinic, week_of

STAFF_NAMES: dict[str, dict[Role, str]] = {
    "riverside": {
        Role.CLINIC_ADMIN: "Harriet Lockwood",
        Role.DOCTOR: "Ruth Hale",
        Role.NURSE: "Joanna Zielińska",
        Role.PHARMACIST: "Bilal Qureshi",
        Role.LAB_TECHNICIAN: "Kwame Boateng",
        Role.RADIOLOGIST: "Deirdre Kavanagh",
        Role.RECEPTIONIST: "Grace Whitcombe",
        Role.MEDICAL_ASSISTANT: "Shanice Francis",
        Role.BILLING_SPECIALIST: "Graham Attwater",
        Role.AUDITOR: "Sanjay Desai",
        Role.COMPLIANCE_OFFICER: "Philippa Sedgwick",
        Role.DATA_ANALYST: "Tomás Araújo",
    },
    "hillcrest": {
        Role.CLINIC_ADMIN: "Lorraine Whitaker",
        Role.DOCTOR: "Elena Castillo",
        Role.NURSE: "Keisha Booker",
        Role.PHARMACIST: "Khánh Nguyễn",
        Role.LAB_TECHNICIAN: "Anil Sharma",
        Role.RADIOLOGIST: "Dominic Esposito",
        Role.RECEPTIONIST: "Madison Holloway",
        Role.MEDICAL_ASSISTANT: "Marisol Reyes",
        Role.BILLING_SPECIALIST: "Clifford Stoddard",
        Role.AUDITOR: "Imani Coleman",
        Role.COMPLIANCE_OFFICER: "Judith Feinstein",
        Role.DATA_ANALYST: "Hyun-woo Park",
    },
}
PLATFORM_NAMES = {Role.SUPER_ADMIN: "Wilhelmina Roth", Role.SYSTEM_ADMIN: "Idris Okoro", Role.SUPPORT: "Petra Lindqvist"}


@dataclass(slots=True)
class ClinicView:
    """What planning a day needs to know of a clinic."""

    clinic: Clinic
    providers: list[Provider]
    offered: dict[UUID, list[Service]]
    week: dict[UUID, list[Schedule]] = field(default_factory=dict)
    users: dict[Role, User] = field(default_factory=dict)


def make_sign_ins(hashed: str) -> None:
    """The platform's demo users."""
    people = {f"{local_part(role)}@hms.demo": (PLATFORM_NAMES[role], role) for role in PLATFORM_ROLES}
    people[SUPERUSER] = ("Ada Superuser", Role.SUPER_ADMIN)
    User.objects.bulk_create(
        [User(email=email, full_name=name, platform_role=role, password=hashed) for email, (name, role) in sorted(people.items())]
    )


def make_clinic(place: DemoClinic) -> Clinic:
    return Clinic.objects.create(
        slug=place.slug,
        name=place.name,
        time_zone=place.time_zone,
        locale=place.locale,
        country=place.country,
        currency=place.currency,
        mrn_prefix=place.mrn_prefix,
    )


def hashed_password() -> str:
    """One hash for all: they share the password anyway, and hashing is slow on purpose."""
    return make_password(settings.HMS_DEMO_PASSWORD)


def furnish(place: DemoClinic, clinic: Clinic, hashed: str) -> None:
    """Everything but patients and visits. Runs inside the clinic's scope."""
    users = _people(place, clinic, hashed)
    ClinicSettings.objects.create()
    departments = {name: Department.objects.create(name=name) for name in place.departments}
    locations = [Location.objects.create(name=name, address=address, phone=phone) for name, address, phone in place.locations]
    rooms = _rooms(locations)
    providers = [
        Provider.objects.create(
            name=one.name,
            kind=one.kind,
            department=departments[one.department],
            user=users.get(Role(one.role.upper())) if one.role else None,
        )
        for one in place.providers
    ]
    _services(place, providers)
    _hours(place, locations, rooms, providers)


def _people(place: DemoClinic, clinic: Clinic, hashed: str) -> dict[Role, User]:
    names = STAFF_NAMES.get(place.slug, {})
    users = {
        role: User(email=f"{local_part(role)}@{place.slug}.demo", full_name=names.get(role, str(role.label)), password=hashed)
        for role in Role
        if role in CLINIC_ROLES
    }
    User.objects.bulk_create(users.values())
    for role, user in users.items():
        Membership.objects.create(clinic=clinic, user=user, roles=[role])
    return users


def _rooms(locations: list[Location]) -> dict[tuple[UUID, str], list[Room]]:
    rooms: dict[tuple[UUID, str], list[Room]] = defaultdict(list)
    for location in locations:
        for number in range(1, 7):
            kind = CONSULTING if number <= 4 else TREATMENT
            rooms[location.pk, kind].append(Room.objects.create(location=location, name=f"Room {number}", kind=kind))
    return rooms


def _services(place: DemoClinic, providers: list[Provider]) -> None:
    for one in place.services:
        service = Service.objects.create(
            name=one.name,
            description=one.description,
            duration_minutes=one.minutes,
            buffer_before_minutes=one.before,
            buffer_after_minutes=one.after,
            price_amount=one.price,
            tone=one.tone,
            room_kind=one.room_kind,
        )
        ServiceProvider.objects.bulk_create(
            [ServiceProvider(service=service, provider=provider) for provider in providers if provider.kind in one.kinds]
        )


def _hours(
    place: DemoClinic, locations: list[Location], rooms: dict[tuple[UUID, str], list[Room]], providers: list[Provider]
) -> None:
    """The weekly hours, each provider in a room of their own, so that rooms never run short."""
    schedules = []
    for position, (one, provider) in enumerate(zip(place.providers, providers, strict=True)):
        own: dict[int, Room] = {}
        kind = CONSULTING if one.kind in ("doctor", "therapist") else TREATMENT
        for hours in week_of(position, one):
            where = one.away if hours.away and one.away is not None else one.home
            if where not in own:
                own[where] = rooms[locations[where].pk, kind].pop(0)
            schedules.append(
                Schedule(
                    provider=provider,
                    location=locations[where],
                    room=own[where],
                    weekday=hours.weekday,
                    start_time=hours.start,
                    end_time=hours.end,
                )
            )
    Schedule.objects.bulk_create(schedules)


def clinic_view(clinic: Clinic) -> ClinicView:
    """The clinic as it is now, with what people of the demo may have changed. Five queries."""
    providers = list(Provider.objects.filter(is_active=True).order_by("id"))
    view = ClinicView(clinic, providers, {provider.pk: [] for provider in providers})
    for offer in ServiceProvider.objects.filter(service__is_active=True).select_related("service").order_by("service__name"):
        if offer.provider_id in view.offered:
            view.offered[offer.provider_id].append(offer.service)
    for schedule in Schedule.objects.select_related("location", "room").order_by("weekday", "start_time"):
        view.week.setdefault(schedule.provider_id, []).append(schedule)
    for membership in Membership.objects.filter(user__email__endswith=f"@{clinic.slug}.demo").select_related("user"):
        for role in membership.roles:
            view.users.setdefault(Role(role), membership.user)
    return view
