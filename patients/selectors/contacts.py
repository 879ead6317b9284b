"""When somebody was last here, and whether they are expected: asked of everything above that knows (visits, and what comes)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from django.db.models import Max

from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from patients.models import Document, Patient


class Contact(NamedTuple):
    """`last`: the day of the last one that took place, None without any. `ahead`: one is still to come, or under way."""

    last: date | None = None
    ahead: bool = False


type Ask = Callable[[Collection[UUID]], Mapping[UUID, Contact]]
_asked: list[Ask] = []


def counts_as_contact(ask: Ask) -> None:
    """Called once, as HMS starts: `ask` says it of the patients of the scope's clinic; who has none may be left out."""
    _asked.append(ask)


def contacts_of(patients: Iterable[Patient]) -> dict[UUID, Contact]:
    """Of each: being registered counts, and a document that was added. Two queries, and those of each who is asked."""
    zone = Clinic.objects.get(pk=current_clinic_id()).zone
    found = {one.pk: Contact(one.created_at.astimezone(zone).date()) for one in patients}
    added = Document.objects.filter(patient_id__in=found).values("patient_id").annotate(last=Max("created_at"))
    said = {row["patient_id"]: Contact(row["last"].astimezone(zone).date()) for row in added}
    for known in (said, *(ask(list(found)) for ask in _asked)):
        for pk, one in known.items():
            before = found[pk]
            last = max((day for day in (before.last, one.last) if day is not None), default=None)
            found[pk] = Contact(last, before.ahead or one.ahead)
    return found
