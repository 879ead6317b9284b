"""Registering a patient and changing the record, with the search tokens that belong to it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from clinics.models import Provider
from core.accounts.actor import Actor
from core.audit.subjects import Reading, shown
from core.errors import Conflict, PreconditionFailed
from core.events.announcing import announce
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.validators import Problems
from patients import events, tokens
from patients.choices import PatientStatus
from patients.errors import DuplicatePatient
from patients.models import MrnSequence, Patient, PatientToken
from patients.names import sort_form
from patients.policies import refuse_anonymised, visible_patients
from patients.selectors.duplicates import Duplicate, duplicates_of
from patients.services.consents import add_consents
from patients.validators import ClinicRules, check_quiet_hours, clean_consents, clean_patient

MRN_DIGITS = 7


def register_patient(*, actor: Actor, data: Mapping[str, Any], accept_duplicate: bool = False) -> Patient:
    """A new patient with a new MRN. `data` has the model's field names, and `consents` as kind -> yes or no.

    Raises ValidationFailed naming every wrong field; DuplicatePatient when somebody very alike is registered already, unless
    `accept_duplicate`. Eleven statements, two more when somebody else was registered meanwhile; registrations of one clinic wait
    for each other from the lock on, which who is refused doesn't reach.
    """
    actor.require("patient", "create")
    clinic = _clinic()
    cleaned, consents = _cleaned(data, clinic, complete=True)
    if accept_duplicate:
        sequence = _locked_sequence()
    else:
        known_until = MrnSequence.objects.values_list("last_number", flat=True).first() or 0
        _refuse_duplicates(actor, cleaned)
        sequence = _locked_sequence()
        if sequence.last_number != known_until:
            _refuse_duplicates(actor, cleaned)
    sequence.last_number += 1
    sequence.save(update_fields=["last_number"])
    patient = Patient(mrn=f"{clinic.mrn_prefix}-{sequence.last_number:0{MRN_DIGITS}d}", **cleaned)
    _set_sort_forms(patient)
    patient.save(force_insert=True)
    _add_tokens(patient, tokens.tokens_of(clinic.pk, patient))
    if consents:
        add_consents(actor=actor, patient=patient, consents=consents)
    announce(events.REGISTERED, patient.pk, patient=patient.pk)
    return patient


def update_patient(*, actor: Actor, patient_id: UUID, changes: Mapping[str, Any], expected_version: int | None = None) -> Patient:
    """Change some fields; `consents` among them are noted as new. A change to the same values changes nothing.

    Raises NotFound, PreconditionFailed when the record is not at `expected_version`, Conflict for a merged record,
    ValidationFailed naming every wrong field. At most eight statements.
    """
    actor.require("patient", "change")
    patient: Patient = visible_patients(actor).select_for_update().record(pk=patient_id)
    if expected_version is not None and patient.version != expected_version:
        raise PreconditionFailed.at(patient.version, _("Somebody changed this record meanwhile. Read it again."))
    if patient.status == PatientStatus.MERGED:
        raise Conflict(_("This record was merged into another. Change that one."))
    refuse_anonymised(patient)
    clinic = _clinic()
    cleaned, consents = _cleaned(changes, clinic, complete=False, patient=patient)
    before = tokens.stored_tokens_of(clinic.pk, patient)
    changed = [name for name, value in cleaned.items() if getattr(patient, name) != value]
    for name in changed:
        setattr(patient, name, cleaned[name])
    if changed:
        _set_sort_forms(patient)
        patient.save(update_fields=[*changed, "family_norm", "given_norm"])
        _replace_tokens(patient, before, tokens.tokens_of(clinic.pk, patient))
    if consents:
        add_consents(actor=actor, patient=patient, consents=consents)
    if changed or consents:
        announce(events.CHANGED, patient.pk, patient=patient.pk)
    return patient


def _clinic() -> Clinic:
    return Clinic.objects.get(pk=current_clinic_id())


def _cleaned(
    data: Mapping[str, Any], clinic: Clinic, *, complete: bool, patient: Patient | None = None
) -> tuple[dict[str, Any], dict[str, bool]]:
    problems = Problems()
    fields = dict(data)
    consents = clean_consents(fields.pop("consents", {}), problems)
    if "preferred_provider" in fields:
        provider = fields.pop("preferred_provider")
        fields["preferred_provider_id"] = provider.pk if isinstance(provider, Provider) else provider
    rules = ClinicRules(country=clinic.country, today=timezone.localdate(timezone=clinic.zone))
    cleaned = clean_patient(fields, rules, problems, complete=complete)
    if patient is not None and ("quiet_from" in fields) != ("quiet_until" in fields):
        quiet = {name: cleaned.get(name, getattr(patient, name)) for name in ("quiet_from", "quiet_until")}
        check_quiet_hours(quiet["quiet_from"], quiet["quiet_until"], problems)
    _check_provider(cleaned.get("preferred_provider_id"), problems)
    problems.raise_if_any()
    return cleaned, consents


def _check_provider(provider_id: UUID | None, problems: Problems) -> None:
    if provider_id is not None and not Provider.objects.filter(pk=provider_id).exists():
        problems.add("preferred_provider_id", "does_not_exist", _("There is no such provider."))


def _locked_sequence() -> MrnSequence:
    """The clinic's counter, made at the first registration; others wait for its lock."""
    sequence = MrnSequence.objects.select_for_update().first()
    if sequence is None:
        MrnSequence.objects.bulk_create([MrnSequence()], ignore_conflicts=True)
        sequence = MrnSequence.objects.select_for_update().get()
    return sequence


def _refuse_duplicates(actor: Actor, cleaned: Mapping[str, Any]) -> None:
    found = duplicates_of(
        actor=actor,
        given_name=cleaned["given_name"],
        family_name=cleaned["family_name"],
        date_of_birth=cleaned["date_of_birth"],
        phone=cleaned.get("phone", ""),
        national_id=cleaned.get("national_id", ""),
        email=cleaned.get("email", ""),
    )
    if any(duplicate.strength == "strong" for duplicate in found):
        shown((duplicate.patient.pk for duplicate in found), Reading.SEARCH)
        raise DuplicatePatient(
            _("This person seems to be registered already."),
            extra={"duplicates": [_shown(duplicate) for duplicate in found]},
            duplicates=found,
        )


def _shown(duplicate: Duplicate) -> dict[str, Any]:
    patient = duplicate.patient
    return {
        "id": str(patient.pk),
        "mrn": patient.mrn,
        "given_name": patient.given_name,
        "family_name": patient.family_name,
        "date_of_birth": None if patient.is_withheld else patient.date_of_birth.isoformat(),
        "phone": patient.phone,
        "reasons": duplicate.reasons,
        "strength": duplicate.strength,
    }


def _set_sort_forms(patient: Patient) -> None:
    patient.family_norm = sort_form(patient.family_name)
    patient.given_norm = sort_form(patient.given_name)


def _add_tokens(patient: Patient, wanted: Iterable[int]) -> None:
    PatientToken.objects.bulk_create([PatientToken(patient=patient, token=token) for token in sorted(wanted)])


def _replace_tokens(patient: Patient, before: set[int], after: set[int]) -> None:
    """Only the difference is written; the old tokens are known by making them again."""
    gone: Sequence[int] = sorted(before - after)
    if gone:
        PatientToken.objects.filter(patient=patient, token__in=gone).delete()
    if after - before:
        _add_tokens(patient, after - before)
