"""What other processes do for these tests, as HMS: documents and seals for the demo's clinics; a clinic that is there before."""

from typing import Any


def add_documents() -> dict[str, Any]:
    from django.conf import settings
    from django.utils import timezone

    from core.audit.events import AccessRecord, stored
    from core.audit.subjects import Reading, Shown
    from core.history.anchors import seal_and_anchor
    from core.tenancy.context import clinic_scope
    from core.tenancy.ids import new_id
    from core.tenancy.models import Clinic
    from patients.models import Patient
    from tests.core.backup.seed import add_document

    for clinic in Clinic.objects.all():
        with clinic_scope(clinic, reason="seed"):
            for number in range(6):
                add_document(Patient.objects.order_by("pk")[0], f"{clinic.slug} {number}")
            looked_at = [one.pk.bytes for one in Patient.objects.all()[:3]]
        shown = Shown()
        shown.add(looked_at, Reading.VIEW)
        request = ("patients:detail", "GET", 200, "203.0.113.7", "a-request")
        stored([AccessRecord(new_id(), timezone.now(), new_id(), clinic.pk, *request, shown).packed()])
    seal_and_anchor(settings.HMS_AUDIT_ANCHORS_DIR)
    return {}


def another_clinic() -> dict[str, Any]:
    from core.accounts.models import User
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from tests.factories.visits import make_patient

    own = {"name": "Elsewhere", "time_zone": "Europe/Paris", "country": "FR", "currency": "EUR", "mrn_prefix": "EL"}
    clinic = Clinic.objects.create(slug="elsewhere", **own)
    User.objects.create_user("somebody@elsewhere.test", "Correct-Horse-2026", full_name="Some Body")
    with clinic_scope(clinic, reason="seed"):
        make_patient(mrn="EL-000001", family_name="Durand")
    return {"clinic": str(clinic.pk)}


def read_the_clinic() -> dict[str, Any]:
    """Activate it and work there: find somebody by name, open the documents, register one more."""
    from core.accounts.models import Membership
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from core.uploads.store import content_of
    from patients.models import Document, Patient
    from patients.selectors import search_patients
    from tests.factories.visits import make_patient

    clinic = Clinic.objects.get(slug="riverside")
    was = clinic.state
    clinic.state = Clinic.State.ACTIVE
    clinic.save()
    with clinic_scope(clinic, reason="test"):
        known = Patient.objects.order_by("pk")[0]
        member = Membership.objects.select_related("user").get(clinic=clinic, user__email="receptionist@riverside.demo")
        matches = search_patients(actor=member.as_actor(member.user), text=known.family_name)
        found = known.pk in [one.patient.pk for one in matches]
        opened = [len(content_of(one.stored)) for one in Document.objects.exclude(stored=None)]
        make_patient(mrn="RV-900001", family_name="Newcomer")
        ids = [one.national_id for one in Patient.objects.all()]
    return {"was": was, "found": found, "opened": opened, "national_ids": len([one for one in ids if one])}
