"""A clinic that marks every field it can, with a patient from before and one from after, for test_protected_dump."""

from datetime import timedelta
from io import StringIO
from typing import Any

EMAIL, PASSWORD = "desk@protected.test", "Leak-Free-2026"
FIRST = {
    "gender": "Glimmerkind", "phone_alt": "+447700911222", "email": "wobbegong@example.org", "address_line1": "9 Thistledown Mews",
    "address_line2": "Behind the Orangery", "city": "Oxenholme", "region": "Westmorland", "postal_code": "LA9 7XQ",
    "insurance_provider": "Halcyon Mutual", "emergency_name": "Peregrine Lovelace", "emergency_relationship": "Godmother",
    "emergency_phone": "+447700933444", "notes": "Whispers about the inheritance",
}  # fmt: skip
THEN = {
    "gender": "Sparkleborn", "phone_alt": "+447700955666", "email": "axolotl@example.org", "address_line1": "27 Quince Terrace",
    "address_line2": "Above the Apothecary", "city": "Grizebeck", "region": "Cumberland", "postal_code": "CA20 1QZ",
    "insurance_provider": "Zenith Provident", "emergency_name": "Ottoline Harbinger", "emergency_relationship": "Stepuncle",
    "emergency_phone": "+447700977888", "notes": "Confided a secret allergy to peonies",
}  # fmt: skip


def seed() -> dict[str, Any]:
    from django.core.management import call_command
    from django.utils import timezone

    from clinics.models import ClinicSettings
    from clinics.services import protect_fields
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic
    from core.tenancy.protection import markable
    from patients.services import register_patient, update_patient

    clinic = Clinic.objects.create(
        slug="protected", name="Protected", time_zone="UTC", country="GB", currency="GBP", mrn_prefix="PR"
    )
    user = User.objects.create_user(EMAIL, PASSWORD, full_name="Desk")
    with clinic_scope(clinic, reason="seed"):
        ClinicSettings.objects.create()
        actor = Membership.objects.create(clinic=clinic, user=user, roles=[Role.CLINIC_ADMIN]).as_actor(user)
    ids = []
    for name in ("Before", "After"):
        with clinic_scope(clinic, reason="seed"):
            person = {"given_name": name, "family_name": "Marks", "date_of_birth": "1971-09-30", "sex": "female"}
            ids.append(register_patient(actor=actor, data=person | FIRST, accept_duplicate=True).pk)
        with clinic_scope(clinic, reason="seed"):
            update_patient(actor=actor, patient_id=ids[-1], changes=THEN)
        if name == "Before":
            call_command("seal_audit", stdout=StringIO())
            with clinic_scope(clinic, reason="seed"):
                protect_fields(actor=actor, fields=list(markable()))
            Clinic.objects.update(updated_at=timezone.now() - timedelta(hours=1))  # so that nobody has to be waited for
    said = StringIO()
    call_command("rotate_encryption_keys", "--all", "--fields", stdout=said)
    call_command("seal_audit", stdout=said)
    call_command("verify_audit", "--clinic", "protected", stdout=said)  # raises if anything is not as it was sealed
    return {"before": ids[0], "after": ids[1], "said": said.getvalue()}
