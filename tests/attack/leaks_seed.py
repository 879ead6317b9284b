"""A clinic and its desk for the scripted day of test_leaks."""

from typing import Any

EMAIL, PASSWORD = "desk@leaks.test", "Leak-Free-2026"


def seed() -> dict[str, Any]:
    from clinics.models import ClinicSettings
    from core.accounts.models import Membership, User
    from core.accounts.roles import Role
    from core.tenancy.context import clinic_scope
    from core.tenancy.models import Clinic

    clinic = Clinic.objects.create(slug="leaks", name="Leaks", time_zone="UTC", country="GB", currency="GBP", mrn_prefix="LK")
    user = User.objects.create_user(EMAIL, PASSWORD, full_name="Desk")
    with clinic_scope(clinic, reason="seed"):
        ClinicSettings.objects.create()
        Membership.objects.create(clinic=clinic, user=user, roles=[Role.RECEPTIONIST])
    return {"clinic": clinic.pk}
