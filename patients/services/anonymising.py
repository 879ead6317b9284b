"""Making a patient's record nobody's: the row and its visits stay to be counted, everything that says who it was goes.

In two steps. What the application may change goes in the caller's transaction; what only maintenance may remove (the history,
lines that are never altered, others' unfinished forms, files) goes right after its commit (`forgetting`). When that is cut
off, `manage.py anonymise_patients` takes it up.
"""

import logging
import re
from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db import connection, transaction
from django.db.models import F, Model
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from clinics.selectors import retention_years
from core.accounts.actor import Actor
from core.anonymity import fate_of
from core.errors import Conflict, PreconditionFailed
from core.events.announcing import announce
from core.messaging.services import digest_of
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic, Record
from core.validators import Problems
from patients import events, tokens
from patients.choices import AnonymisingKind
from patients.models import Anonymisation, Document, Patient, PatientAccount, PatientToken
from patients.names import digits_of, name_parts
from patients.policies import refuse_anonymised, visible_patients
from patients.selectors.contacts import contacts_of
from patients.selectors.everything import ids_about
from patients.selectors.retention import kept_until
from patients.services.forgetting import finish_anonymisation
from patients.validators import anonymising_rules

logger = logging.getLogger(__name__)

NAMES = ("given_name", "middle_name", "family_name", "preferred_name", "emergency_name")
NUMBERS = ("phone", "phone_alt", "emergency_phone", "national_id", "insurance_policy_number", "mrn")
SHORTEST_NAME, SHORTEST_NUMBER = 3, 5  # letters and digits by which somebody can be meant


def anonymise_patient(
    *, actor: Actor, patient_id: UUID, mrn: str, kind: str, reason: str, expected_version: int | None = None
) -> Anonymisation:
    """Make the record nobody's. It can't be undone, so the MRN has to be said once more.

    `kind` (AnonymisingKind): by the clinic's own rule, whose time must be over; or at the person's request, at any time: whether
    the law lets the clinic is the administrator's decision, and until when its rule would have kept the record is noted.
    Raises NotFound, RecordRestricted; PreconditionFailed when the record is not at `expected_version`; ValidationFailed, also for a
    reason that names the person; Conflict when it is anonymised already, while visits lie ahead, or before its time. About 30
    statements, and as many after the commit.
    """
    actor.require("patient", "anonymise")
    patient: Patient = visible_patients(actor).select_for_update().record(pk=patient_id)
    if expected_version is not None and patient.version != expected_version:
        raise PreconditionFailed.at(patient.version, _("Somebody changed this record meanwhile. Read it again."))
    refuse_anonymised(patient)
    said = _checked(patient, mrn=mrn, kind=kind, reason=reason)
    (contact,) = contacts_of([patient]).values()
    if contact.ahead:
        raise Conflict(_("Visits lie ahead. Cancel them first, or wait until they are over."))
    until = kept_until(contact, retention_years())
    if said["kind"] == AnonymisingKind.RETENTION:
        _refuse_before_its_time(until)
    return _anonymised(patient, by_id=actor.user_id, kept_until=until, **said)


def _checked(patient: Patient, *, mrn: str, kind: str, reason: str) -> dict[str, str]:
    problems, rules = Problems(), anonymising_rules()
    if not kind:
        problems.add("kind", "required", _("Say which of the two it is."))
    said = {
        "kind": problems.check("kind", rules["kind"], kind) if kind else "",
        "reason": problems.check("reason", rules["reason"], reason),
    }
    if str(mrn).strip().upper() != patient.mrn.upper():
        problems.add("mrn", "mismatch", _("This is not the MRN of this record."))
    if said["reason"] and names_somebody(patient, said["reason"]):
        problems.add("reason", "names_patient", _("The reason stays. Write it without names and numbers of the person."))
    problems.raise_if_any()
    return said


def names_somebody(patient: Patient, text: str) -> bool:
    """Does the text hold a name, a number or the address of the person, or of whom to call?"""
    words = set(name_parts(text))
    names = {word for field in NAMES for word in name_parts(getattr(patient, field)) if len(word) >= SHORTEST_NAME}
    digits = digits_of(text)
    numbers = {digits_of(getattr(patient, field)).lstrip("0")[-9:] for field in NUMBERS}
    plain = re.sub(r"\s", "", text).casefold()
    codes = {patient.email, patient.national_id, patient.insurance_policy_number, patient.mrn}
    return bool(
        words & names
        or any(len(number) >= SHORTEST_NUMBER and number in digits for number in numbers)
        or any(code and re.sub(r"\s", "", code).casefold() in plain for code in codes)
    )


def _refuse_before_its_time(until: Any) -> None:
    if until is None:
        raise Conflict(_("This clinic keeps records for ever, unless the person asks."))
    today = timezone.localdate(timezone=Clinic.objects.get(pk=current_clinic_id()).zone)
    if until >= today:
        raise Conflict(_("This record is kept until %(day)s by the clinic’s rule.") % {"day": until.isoformat()})


def _anonymised(patient: Patient, *, by_id: UUID | None, **said: Any) -> Anonymisation:
    about = ids_about(patient.pk)
    left = {
        "messages": [digest_of(address) for address in (patient.email, patient.phone, patient.phone_alt) if address],
        "files": [str(one) for one in Document.objects.filter(pk__in=about[Document]).values_list("stored", flat=True) if one],
        "accounts": [str(pk) for pk in about[PatientAccount]],
        "users": [str(pk) for pk in PatientAccount.objects.filter(pk__in=about[PatientAccount]).values_list("user_id", flat=True)],
    }
    counts = {PatientToken._meta.db_table: _remove_tokens(patient)}
    _become_nobody(patient)
    counts |= {model._meta.db_table: count for model in about if (count := _clear(model, about[model]))} | {"patients_patient": 1}
    LogEntry.objects.filter(object_id=str(patient.pk)).update(object_repr=patient.mrn)
    made = Anonymisation.objects.create(patient=patient, by_id=by_id, counts=counts, left=left, **said)
    announce(events.ANONYMISED, patient.pk, patient=patient.pk)
    logger.info("Anonymisation of the patient %s by %s (%s).", patient.pk, by_id, made.kind)
    transaction.on_commit(partial(_finish, current_clinic_id(), made.pk))
    return made


def _finish(clinic_id: UUID, anonymisation_id: UUID) -> None:
    """The request is answered whatever happens here: what is left is taken up later."""
    try:
        finish_anonymisation(clinic_id=clinic_id, anonymisation_id=anonymisation_id)
    except Exception:  # a process boundary: the row says that it is pending
        logger.exception("Anonymising %s is not finished: run manage.py anonymise_patients.", anonymisation_id)


def _become_nobody(patient: Patient) -> None:
    fate = fate_of(Patient)
    assert fate is not None  # noqa: S101  (declared at the model)
    made = {name: value(patient) if callable(value) else value for name, value in fate.values.items()}
    for name, value in made.items():
        setattr(patient, name, value)
    patient.save(update_fields=list(made))


def _remove_tokens(patient: Patient) -> int:
    """By the tokens themselves: the table has no index by patient."""
    stored = sorted(tokens.stored_tokens_of(patient.clinic_id, patient))
    return PatientToken.objects.filter(patient=patient, token__in=stored).delete()[0]


def _clear(model: type[Model], ids: Iterable[Any]) -> int:
    """Of a table that the application may write; how many rows."""
    fate = fate_of(model)
    if fate is None or not fate.changes or model in (Patient, PatientToken) or not ids or not _may_write(model, fate.removed):
        return 0
    rows = model._default_manager.filter(pk__in=ids)
    if fate.removed:
        return rows.delete()[0]
    counted = {"version": F("version") + 1, "updated_at": Now()} if issubclass(model, Record) else {}
    return rows.exclude(**fate.values).update(**fate.values, **counted)


def _may_write(model: type[Model], removing: bool) -> bool:
    """Lines that are never altered are left to maintenance."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(%s, %s)", [model._meta.db_table, "DELETE" if removing else "UPDATE"])
        (may,) = cursor.fetchone()
    return bool(may)
