"""Until when a clinic keeps whose record, by its own rule."""

from collections.abc import Iterable, Iterator
from datetime import date
from uuid import UUID

from django.utils import timezone

from clinics.selectors import retention_years
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from patients.choices import PatientStatus
from patients.models import Patient
from patients.selectors.contacts import Contact, contacts_of

BATCH = 200  # patients whose contacts are asked for at once


def kept_until(contact: Contact, years: int | None) -> date | None:
    """The last day on which the record is kept; None: for ever."""
    if years is None or contact.last is None:
        return None
    last = contact.last
    try:
        return last.replace(year=last.year + years)
    except ValueError:  # 29 February
        return date(last.year + years, 3, 1)


def due_for_anonymising(clinic: Clinic) -> Iterator[list[UUID]]:
    """Those whose time is over and whom nobody expects, batch by batch, each read in a scope of its own.

    Four queries a batch: all old records of the clinic are walked through by key.
    """
    after = UUID(int=0)
    while True:
        with clinic_scope(clinic, reason="retention"):
            years = retention_years()
            rows = Patient.objects.exclude(status=PatientStatus.ANONYMISED).filter(pk__gt=after)
            patients = list(rows.order_by("pk").only("id", "clinic_id", "created_at")[:BATCH]) if years else []
            due = list(_over(patients, years, timezone.localdate(timezone=clinic.zone)))
        if not patients:
            return
        yield due
        after = patients[-1].pk


def _over(patients: Iterable[Patient], years: int | None, today: date) -> Iterator[UUID]:
    for pk, contact in contacts_of(patients).items():
        until = kept_until(contact, years)
        if until is not None and until < today and not contact.ahead:
            yield pk
