"""Short questions about what a clinic consists of."""

from clinics.models import ClinicSettings, Department, Location, Provider, Room
from core.accounts.actor import Actor


def clinic_settings(*, actor: Actor) -> ClinicSettings:
    """The clinic's own rules; the defaults, unsaved, when it has set none. One query."""
    actor.require("clinic", "view")
    return ClinicSettings.objects.first() or ClinicSettings()


def retention_years() -> int | None:
    """For how long the scope's clinic keeps a record after the last visit; None: for ever. One query."""
    settings = ClinicSettings.objects.first() or ClinicSettings()
    return settings.retention_years


def locations_in_use(*, actor: Actor) -> list[Location]:
    """Where this person works: their locations, or all when they have none of their own. One query."""
    actor.require("location", "view")
    rows = Location.objects.filter(is_active=True)
    return list(rows.filter(pk__in=actor.location_ids) if actor.location_ids else rows)


def departments_in_use(*, actor: Actor) -> list[Department]:
    actor.require("department", "view")
    return list(Department.objects.filter(is_active=True))


def rooms_in_use(*, actor: Actor) -> list[Room]:
    """With their locations. One query."""
    actor.require("room", "view")
    return list(Room.objects.filter(is_active=True, location__is_active=True).select_related("location"))


def providers_in_use(*, actor: Actor) -> list[Provider]:
    """With their departments. One query."""
    actor.require("provider", "view")
    return list(Provider.objects.filter(is_active=True).select_related("department"))


def location_choices() -> list[tuple[str, str]]:
    """Every location of the scope's clinic by its name, for forms about people. One query."""
    return [(str(pk), name) for pk, name in Location.objects.values_list("pk", "name")]


def department_choices() -> list[tuple[str, str]]:
    """The departments in use, likewise. One query."""
    return [(str(pk), name) for pk, name in Department.objects.filter(is_active=True).values_list("pk", "name")]
