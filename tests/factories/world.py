"""Two clinics with everything a visit needs, and a person of every role in each."""

from dataclasses import dataclass, field
from datetime import time

from appointments.models import Schedule, Service, ServiceProvider
from clinics.models import ClinicSettings, Department, Location, Provider, Room
from core.accounts.actor import Actor
from core.accounts.models import Membership, User
from core.accounts.roles import CLINIC_ROLES, PLATFORM_ROLES, Role
from core.keys.memory import keys_of, keys_to_write_with
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.models import Patient
from tests.factories.patients import register_people


@dataclass
class Place:
    """One clinic and what is in it."""

    clinic: Clinic
    users: dict[Role, User] = field(default_factory=dict)
    memberships: dict[Role, Membership] = field(default_factory=dict)
    locations: list[Location] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)
    providers: list[Provider] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    patients: list[Patient] = field(default_factory=list)

    def actor(self, role: Role) -> Actor:
        return self.memberships[role].as_actor(self.users[role])


@dataclass
class World:
    riverside: Place
    hillcrest: Place
    platform: dict[Role, User]
    nobody: User  # signs in, belongs nowhere


def build_world(password: str) -> World:
    places = [
        _place("riverside", "Riverside Practice", "Europe/London", "GB", "GBP", "RV", password),
        _place("hillcrest", "Hillcrest Clinic", "America/New_York", "US", "USD", "HC", password),
    ]
    platform = {
        role: User.objects.create_user(f"{role.value.lower()}@hms.test", password, full_name=str(role.label), platform_role=role)
        for role in PLATFORM_ROLES
    }
    nobody = User.objects.create_user("nobody@hms.test", password, full_name="No Body")
    return World(places[0], places[1], platform, nobody)


def _place(slug: str, name: str, zone: str, country: str, currency: str, prefix: str, password: str) -> Place:
    clinic = Clinic.objects.create(slug=slug, name=name, time_zone=zone, country=country, currency=currency, mrn_prefix=prefix)
    place = Place(clinic)
    with clinic_scope(clinic, reason="test world"):
        for role in CLINIC_ROLES:
            email = f"{role.value.lower().replace('_', '-')}@{slug}.test"
            place.users[role] = User.objects.create_user(email, password, full_name=f"{role.label} of {name}")
            place.memberships[role] = Membership.objects.create(clinic=clinic, user=place.users[role], roles=[role])
        _furnish(place)
        place.patients = register_people(place.actor(Role.RECEPTIONIST), country)
        keys_to_write_with(clinic.pk)
    with clinic_scope(clinic, reason="test world"):
        keys_of(clinic.pk)  # in memory from now on
    return place


def _furnish(place: Place) -> None:
    ClinicSettings.objects.create()
    department = Department.objects.create(name="General practice")
    place.locations = [Location.objects.create(name=name) for name in ("Main street", "Harbour")]
    for location in place.locations:
        place.rooms += [Room.objects.create(location=location, name=str(number)) for number in (1, 2)]
    place.providers = [
        Provider.objects.create(name=name, department=department) for name in ("Dr Ruth Hale", "Dr Samir Haddad", "Dr Ingrid Voss")
    ]
    place.services = [
        Service.objects.create(name="Consultation", duration_minutes=20, price_amount="45.00", room_kind=Room.Kind.CONSULTING),
        Service.objects.create(name="Blood test", duration_minutes=10, buffer_after_minutes=5, price_amount="15.00"),
    ]
    for provider in place.providers:
        for service in place.services:
            ServiceProvider.objects.create(service=service, provider=provider)
        for weekday in range(7):
            Schedule.objects.create(
                provider=provider, location=place.locations[0], weekday=weekday, start_time=time(8), end_time=time(18)
            )
