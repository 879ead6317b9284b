"""The demo's sign-ins, offered on the sign-in page while HMS runs as a demo."""

from dataclasses import dataclass

from django.conf import settings

from core.accounts.roles import CLINIC_ROLES, PLATFORM_ROLES, Role

CLINICS = ("riverside", "hillcrest")
SUPERUSER = "platform@hms.demo"


@dataclass(frozen=True, slots=True)
class DemoSignIn:
    email: str
    label: str
    place: str


def local_part(role: Role) -> str:
    return role.value.lower().replace("_", "-")


def demo_sign_ins() -> list[DemoSignIn]:
    """Every demo account; empty when HMS is not a demo."""
    if not settings.HMS_DEMO:
        return []
    clinic = [
        DemoSignIn(f"{local_part(role)}@{slug}.demo", str(role.label), slug)
        for slug in CLINICS
        for role in Role
        if role in CLINIC_ROLES
    ]
    platform = [DemoSignIn(f"{local_part(role)}@hms.demo", str(role.label), "hms") for role in Role if role in PLATFORM_ROLES]
    return [*clinic, *platform, DemoSignIn(SUPERUSER, "Superuser", "hms")]
