"""Two clinics with documents and a sealed audit trail; and somebody who goes on working. Run beside the tests, as HMS."""

import hashlib
import sys
from datetime import date
from typing import Any


def seed() -> dict[str, Any]:
    from django.conf import settings

    from core.history.anchors import seal_and_anchor
    from core.tenancy.context import clinic_scope
    from tests.factories.world import build_world

    world = build_world("Correct-Horse-2026")
    for place in (world.riverside, world.hillcrest):
        with clinic_scope(place.clinic, reason="seed"):
            for number in range(12):
                add_document(place.patients[0], f"{place.clinic.slug} {number}")
    seal_and_anchor(settings.HMS_AUDIT_ANCHORS_DIR)
    return {"clinic": str(world.riverside.clinic.pk)}


def add_document(patient: Any, title: str) -> Any:
    from core.uploads.store import keep
    from patients.choices import DocumentCategory
    from patients.models import Document

    content = (f"About {title}\n" * 200).encode()
    return Document.objects.create(
        patient=patient, title=title, category=DocumentCategory.LETTER, date=date(2026, 6, 1), stored=keep(content),
        content_type="text/plain", file_name="letter.txt", size=len(content), sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip


def go_on_working() -> None:
    """Patients in pairs, each pair with a document and in one transaction, until somebody ends this process."""
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from tests.factories.visits import make_patient

    clinic = Clinic.objects.get(slug="riverside")
    for number in range(1, 1_000_000):
        with clinic_scope(clinic, reason="work"):
            for which in "AB":
                patient = make_patient(mrn=f"W{which}-{number:06d}", family_name=f"Pair {number}")
            add_document(patient, f"pair {number}")
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
