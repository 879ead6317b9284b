"""What can be booked, and by whom it is offered."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from appointments.models import Service, ServiceProvider
from appointments.services.claims import check_version
from appointments.validators import check_model, raise_if
from clinics.models import Provider
from core.accounts.actor import Actor
from core.errors import Detail

SERVICE_FIELDS = frozenset(
    {
        "name",
        "description",
        "duration_minutes",
        "buffer_before_minutes",
        "buffer_after_minutes",
        "price_amount",
        "tone",
        "room_kind",
        "reminder_hours",
        "second_reminder_hours",
        "is_active",
    }
)


def create_service(*, actor: Actor, data: Mapping[str, Any], offered_by: Collection[UUID] = ()) -> Service:
    """Add a service. `data` holds the model's own fields. Raises ValidationFailed with every wrong field."""
    actor.require("service", "create")
    return _saved(Service(), data, offered_by)


def update_service(
    *,
    actor: Actor,
    service_id: UUID,
    changes: Mapping[str, Any],
    offered_by: Collection[UUID] | None = None,
    expected_version: int | None = None,
) -> Service:
    """Change a service; `offered_by` None leaves its providers as they are. Visits that are booked keep their length."""
    actor.require("service", "change")
    service = Service.objects.select_for_update(no_key=True).found(pk=service_id)
    check_version(service, expected_version)
    return _saved(service, changes, offered_by)


def _saved(service: Service, values: Mapping[str, Any], offered_by: Collection[UUID] | None) -> Service:
    wrong: list[Detail] = []
    for name, value in values.items():
        if name not in SERVICE_FIELDS:
            wrong.append(Detail(name, "unknown_field", _("There is no such field.")))
            continue
        setattr(service, name, value)
    known = set(Provider.objects.filter(pk__in=offered_by).values_list("pk", flat=True)) if offered_by else set()
    if unknown := set(offered_by or ()) - known:
        wrong.append(Detail("offered_by", "not_found", _("%(count)s of these providers do not exist.") % {"count": len(unknown)}))
    check_model(service, wrong)
    named_alike = Service.objects.filter(name=service.name).exclude(pk=service.pk)
    if not any(detail.field == "name" for detail in wrong) and named_alike.exists():
        wrong.append(Detail("name", "unique", _("Another service has this name.")))
    raise_if(wrong)
    service.save()
    if offered_by is not None:
        _offer(service, known)
    return service


def _offer(service: Service, wanted: set[UUID]) -> None:
    present = set(ServiceProvider.objects.filter(service=service).values_list("provider_id", flat=True))
    if gone := present - wanted:
        ServiceProvider.objects.filter(service=service, provider_id__in=gone).delete()
    ServiceProvider.objects.bulk_create([ServiceProvider(service=service, provider_id=one) for one in sorted(wanted - present)])
