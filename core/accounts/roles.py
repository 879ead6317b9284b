"""The sixteen roles, and the one table that says what each may do."""

from collections.abc import Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a person is in a clinic, or (the first three) on the whole platform."""

    SUPER_ADMIN = "SUPER_ADMIN", _("Super administrator")
    SYSTEM_ADMIN = "SYSTEM_ADMIN", _("System administrator")
    SUPPORT = "SUPPORT", _("Support")
    CLINIC_ADMIN = "CLINIC_ADMIN", _("Clinic administrator")
    DOCTOR = "DOCTOR", _("Doctor")
    NURSE = "NURSE", _("Nurse")
    PHARMACIST = "PHARMACIST", _("Pharmacist")
    LAB_TECHNICIAN = "LAB_TECHNICIAN", _("Laboratory technician")
    RADIOLOGIST = "RADIOLOGIST", _("Radiologist")
    RECEPTIONIST = "RECEPTIONIST", _("Receptionist")
    MEDICAL_ASSISTANT = "MEDICAL_ASSISTANT", _("Medical assistant")
    BILLING_SPECIALIST = "BILLING_SPECIALIST", _("Billing specialist")
    AUDITOR = "AUDITOR", _("Auditor")
    COMPLIANCE_OFFICER = "COMPLIANCE_OFFICER", _("Compliance officer")
    DATA_ANALYST = "DATA_ANALYST", _("Data analyst")
    PATIENT = "PATIENT", _("Patient")


PLATFORM_ROLES = frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT})
CLINIC_ROLES = frozenset(Role) - PLATFORM_ROLES

_admins = frozenset({Role.SUPER_ADMIN, Role.CLINIC_ADMIN})
_operators = _admins | {Role.SYSTEM_ADMIN}
_front_desk = frozenset({Role.CLINIC_ADMIN, Role.RECEPTIONIST, Role.MEDICAL_ASSISTANT, Role.NURSE, Role.DOCTOR})
_diagnostics = frozenset({Role.PHARMACIST, Role.LAB_TECHNICIAN, Role.RADIOLOGIST})
_clinical = _diagnostics | {Role.DOCTOR, Role.NURSE, Role.MEDICAL_ASSISTANT}
_oversight = frozenset({Role.AUDITOR, Role.COMPLIANCE_OFFICER})
_staff = CLINIC_ROLES - {Role.PATIENT}

# resource -> action -> who. What is not named is not allowed. PATIENT sees only the patients tied to the account
# (patients/policies.py narrows the rows), and counts for nothing beside another role (`acting`); a membership with locations sees
# only those locations' appointments.
MATRIX: dict[str, dict[str, frozenset[Role]]] = {
    "admin": {"view": _operators | {Role.SUPPORT}},
    "clinic": {
        "view": frozenset(Role),
        "create": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
        "change": _operators,
    },
    "user": {
        "view": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}),
        "create": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
        "change": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
    },
    "security": {
        "view": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}),
        "create": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
        "change": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
    },
    "alert": {
        "view": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}),
        "create": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
        "change": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
        "acknowledge": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
    },
    "job": {"view": _operators | {Role.SUPPORT}, "cancel": _operators, "retry": _operators},
    "external_system": {
        "view": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}),
        "create": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
        "change": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
    },
    "fault": {
        "view": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}),
        "change": frozenset({Role.SUPER_ADMIN, Role.SYSTEM_ADMIN}),
    },
    "membership": {"view": _operators | _oversight | {Role.SUPPORT}, "create": _operators, "change": _operators},
    "api_key": {"view": _admins | _oversight, "create": _admins, "end": _admins},
    "data_sync": {"view": _admins | _oversight, "create": _admins, "change": _admins, "send": _admins},
    "live": {"view": _staff | _operators | {Role.SUPPORT}},
    "webhook": {"view": _admins | _oversight, "create": _admins, "change": _admins, "replay": _admins},
    "staff": {"view": _staff | _operators | {Role.SUPPORT}},
    "location": {"view": frozenset(Role), "create": _operators, "change": _operators},
    "department": {"view": frozenset(Role), "create": _operators, "change": _operators},
    "room": {"view": _staff | _operators | {Role.SUPPORT}, "create": _operators, "change": _operators},
    "provider": {"view": frozenset(Role), "create": _operators, "change": _operators},
    "service": {"view": frozenset(Role), "create": _admins, "change": _admins},
    "schedule": {
        "view": _staff | _operators | {Role.SUPPORT},
        "create": _admins,
        "change": _admins,
        "delete": _admins,
    },
    "slot": {"view": frozenset(Role) - {Role.SUPPORT, Role.SYSTEM_ADMIN}},
    "patient": {
        "view": _front_desk | _diagnostics | _oversight | {Role.SUPER_ADMIN, Role.BILLING_SPECIALIST, Role.PATIENT},
        "search": _front_desk | _diagnostics | {Role.SUPER_ADMIN, Role.BILLING_SPECIALIST},
        "create": _front_desk | {Role.SUPER_ADMIN},
        "change": _front_desk | {Role.SUPER_ADMIN},
        "export": frozenset({Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}),
        "anonymise": frozenset({Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}),
        "restrict": frozenset({Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}),
    },
    "break_glass": {
        "view": _oversight | {Role.CLINIC_ADMIN},
        "create": _clinical | {Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER},
        "review": frozenset({Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER}),
    },
    "history": {"view": _front_desk | _oversight | {Role.SUPER_ADMIN}},
    "document": {
        "view": _front_desk | _diagnostics | _oversight | {Role.SUPER_ADMIN},
        "create": _front_desk | _diagnostics | {Role.SUPER_ADMIN},
        "enter_in_error": _front_desk | _diagnostics | {Role.SUPER_ADMIN},
    },
    "message": {
        "view": _front_desk | _oversight | {Role.SUPER_ADMIN},
        "change": _front_desk,
    },
    "access_log": {
        "view": _oversight | {Role.CLINIC_ADMIN, Role.SUPER_ADMIN, Role.PATIENT},
        "review": _oversight | {Role.CLINIC_ADMIN},
    },
    "appointment": {
        "view": _front_desk | _diagnostics | _oversight | {Role.SUPER_ADMIN, Role.BILLING_SPECIALIST, Role.PATIENT},
        "create": _front_desk | {Role.SUPER_ADMIN},
        "confirm": _front_desk,
        "check_in": _front_desk,
        "start": _front_desk,
        "complete": _front_desk,
        "cancel": _front_desk | {Role.SUPER_ADMIN},
        "no_show": _front_desk,
        "undo": _front_desk,
        "reschedule": _front_desk | {Role.SUPER_ADMIN},
        "history": _front_desk | _oversight | {Role.SUPER_ADMIN},
    },
    "queue": {
        "view": _front_desk | _oversight | {Role.SUPER_ADMIN},
        "create": _front_desk,
        "call": _front_desk,
        "recall": _front_desk,
        "serve": _front_desk,
        "skip": _front_desk,
        "put_back": _front_desk,
        "transfer": _front_desk,
        "finish": _front_desk,
        "leave": _front_desk,
    },
    "queue_setup": {"view": _admins, "create": _admins, "change": _admins},
}


def acting(roles: Iterable[str]) -> frozenset[Role]:
    """In which of their roles somebody acts: staff who are patients too act as staff alone.

    What PATIENT opens is narrowed to the own record only for who is nothing else.
    """
    given = frozenset(Role(role) for role in roles)
    return given - {Role.PATIENT} or given


def allowed(roles: frozenset[Role], resource: str, action: str) -> bool:
    """May someone with these roles do that? An unknown resource or action is a programmer's mistake: KeyError."""
    return bool(roles & MATRIX[resource][action])
