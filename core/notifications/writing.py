"""Telling people: in the transaction of what happened, so that they are told exactly when it has."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from core.jobs.payloads import checked
from core.notifications.kinds import notification_kind
from core.notifications.models import Notification
from core.tenancy.models import Clinic


def notify(
    people: Iterable[UUID],
    kind: str,
    *,
    clinic: Clinic | UUID,
    about: UUID | None = None,
    details: Mapping[str, Any] | None = None,
    once: str = "",
) -> None:
    """Tell these users, in the scope of that clinic or across clinics. One statement, none for nobody.

    `details` are ids, numbers, codes and dates, never a name: NotAPayload is raised for others, UnknownNotification for a kind
    that nobody registers. With `once`, a code, who has not read the last one of this kind and code is not told again.
    """
    clinic_id = clinic.pk if isinstance(clinic, Clinic) else clinic
    notify_in([clinic_id], people, kind, about=about, details=details, once=once)


def notify_in(
    clinics: Iterable[UUID],
    people: Iterable[UUID],
    kind: str,
    *,
    about: UUID | None = None,
    details: Mapping[str, Any] | None = None,
    once: str = "",
) -> None:
    """The same in each of several clinics. Across clinics, one statement."""
    stored = checked(details or {})
    checked({"once": once or None})
    notification_kind(kind)
    rows = [
        Notification(clinic_id=clinic_id, user_id=person, kind=kind, about_id=about, details=stored, once=once)
        for clinic_id in sorted(set(clinics))
        for person in sorted(set(people))
    ]
    if rows:
        Notification.objects.bulk_create(rows, ignore_conflicts=bool(once))
