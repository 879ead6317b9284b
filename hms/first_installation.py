"""What an empty installation needs before anyone can work: an administrator, and if wanted a first clinic with its own."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from clinics.models import ClinicSettings, Location
from clinics.services import create_location
from core.accounts.actor import system_actor
from core.accounts.models import Membership, User, normalise_email
from core.accounts.roles import Role
from core.accounts.services import add_member, create_user
from core.errors import ValidationFailed
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from core.validators import details_of

GENERATED_BYTES = 12
type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Person:
    """An account to make. An empty password is generated."""

    email: str
    full_name: str
    password: str = ""


@dataclass(frozen=True, slots=True)
class FirstClinic:
    slug: str
    name: str
    time_zone: str
    country: str
    currency: str
    mrn_prefix: str
    location: str
    administrator: Person | None = None


def make_administrator(person: Person, say: Say) -> User:
    """The platform's administrator; an account that is there already stays as it is. Raises ValidationFailed."""
    known = User.objects.filter(email=normalise_email(person.email)).first()
    if known is not None:
        say(f"{known.email} is there already and stays as it is.")
        return known
    password = person.password or generated()
    user = create_user(
        actor=system_actor(), email=person.email, full_name=person.full_name, password=password, platform_role=Role.SUPER_ADMIN
    )
    say(f"Platform administrator {user.email}{_told(person, password)}")
    return user


@transaction.atomic
def make_clinic(first: FirstClinic, say: Say) -> Clinic:
    """The clinic with settings and one location, and its administrator. What is there already stays. Raises ValidationFailed."""
    clinic = Clinic.objects.filter(slug=first.slug).first()
    if clinic is None:
        clinic = _new_clinic(first)
        say(f"Clinic {clinic.name} ({clinic.slug}), {clinic.time_zone}.")
    else:
        say(f"The clinic {clinic.slug} is there already and stays as it is.")
    with clinic_scope(clinic, reason="first installation"):
        actor = system_actor(clinic.pk)
        ClinicSettings.objects.get_or_create(clinic=clinic)
        if not Location.objects.exists():
            say(f"Location {create_location(actor=actor, data={'name': first.location}).name}.")
        if first.administrator is not None:
            _administrator_of(clinic, first.administrator, say)
    return clinic


def _administrator_of(clinic: Clinic, person: Person, say: Say) -> None:
    email = normalise_email(person.email)
    if Membership.objects.filter(clinic=clinic, user__email=email).exists():
        say(f"{email} is a member of {clinic.slug} already and stays as it is.")
        return
    is_new = not User.objects.filter(email=email).exists()
    password = person.password or generated()
    add_member(actor=system_actor(clinic.pk), email=email, full_name=person.full_name, password=password, roles=[Role.CLINIC_ADMIN])
    say(f"Clinic administrator {email}{_told(person, password) if is_new else ' (with the account they have)'}")


def _new_clinic(first: FirstClinic) -> Clinic:
    clinic = Clinic(
        slug=first.slug, name=first.name, time_zone=first.time_zone, country=first.country.upper(),
        currency=first.currency.upper(), mrn_prefix=first.mrn_prefix.upper() or first.slug[:3].upper(),
    )  # fmt: skip
    try:
        clinic.full_clean()
    except ValidationError as error:
        raise ValidationFailed("The clinic's data is not right.", details_of(error)) from error
    clinic.save()
    return clinic


def generated() -> str:
    return secrets.token_urlsafe(GENERATED_BYTES)


def _told(person: Person, password: str) -> str:
    """A generated password is said once and kept nowhere."""
    return ", with the password given." if person.password else f", password: {password}"
