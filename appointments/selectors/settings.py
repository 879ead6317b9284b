"""What the settings pages list: services with who offers them, providers with their hours, days that differ."""

from datetime import timedelta
from uuid import UUID

from django.db.models import Prefetch
from django.utils import timezone

from appointments.models import Schedule, ScheduleException, Service
from clinics.models import Provider
from core.accounts.actor import Actor

KEPT_IN_VIEW = timedelta(days=30)  # past exceptions stay in the list that long


def services_with_offers(*, actor: Actor) -> list[Service]:
    """All services, those that can be booked first; `providers` is loaded. Two queries."""
    actor.require("service", "view")
    providers = Prefetch("providers", Provider.objects.order_by("name"))
    return list(Service.objects.order_by("-is_active", "name").prefetch_related(providers))


def providers_with_hours(*, actor: Actor) -> list[Provider]:
    """The active providers; `schedules` is loaded, with locations, in the order of the week. Two queries."""
    actor.require("schedule", "view")
    hours = Prefetch("schedules", Schedule.objects.select_related("location").order_by("weekday", "start_time"))
    return list(Provider.objects.filter(is_active=True).select_related("department").order_by("name").prefetch_related(hours))


def weekly_hours_of(*, provider_id: UUID) -> list[Schedule]:
    """The provider's blocks in the order of the week. One query."""
    return list(Schedule.objects.filter(provider_id=provider_id).order_by("weekday", "start_time", "id"))


def exceptions_of(*, provider_id: UUID) -> list[ScheduleException]:
    """The provider's exceptions from a month ago on, soonest first, with their locations. One query."""
    since = timezone.localdate() - KEPT_IN_VIEW
    found = ScheduleException.objects.filter(provider_id=provider_id, last_day__gte=since)
    return list(found.select_related("location").order_by("first_day", "start_time", "id"))
