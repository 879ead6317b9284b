"""Every column of every table about patients has an answer to what anonymising does to it."""

from typing import Any

import pytest
from django.apps import apps
from django.db.models import CharField, Field, JSONField, Model, TextField

from core.anonymity import TECHNICAL, anonymised, fate_of
from patients.models import Anonymisation, Patient
from patients.selectors.everything import bound_models

# Text that is kept: codes and words of ours, never what somebody typed about the person.
KEPT_TEXT = {
    "patients.Anonymisation.reason": "typed without names and numbers, which is checked",
    "patients.Anonymisation.counts": "numbers by table",
    "patients.Anonymisation.left": "ids and keyed digests, emptied when it is done",
    "patients.Document.content_type": "a kind of file",
    "core.PatientMessage.template": "the name of a file of ours",
    "core.PatientMessage.language": "in which it was written",
    "core.PatientMessage.cause": "codes of ours and of gateways",
    "appointments.Appointment.time_zone": "the location's",
    "appointments.AppointmentChange.actor_name": "staff: a patient can't change a visit",
    "appointments.Ticket.letter": "the group's",
    "appointments.TicketChange.action": "a step's name, ours",
    "appointments.TicketChange.actor_name": "staff, or the kiosk",
}


def about_patients() -> list[type[Model]]:
    """What refers to a patient, directly or through others; and what names one by an id alone."""
    by_id = [model for model in apps.get_models() if any(one.attname == "patient_id" for one in model._meta.local_concrete_fields)]
    says = [model for model in apps.get_models() if hasattr(model, "subject_path")]
    return list(dict.fromkeys([*bound_models(), *by_id, *says]))


@pytest.mark.parametrize("model", about_patients(), ids=lambda one: one._meta.label)
def test_what_anonymising_does_to_each_field_is_said(model: type[Model]) -> None:
    """The declaration itself refuses a field that is left out; this finds the table without one."""
    assert fate_of(model) is not None, f"say @anonymised(...) at {model._meta.label}"


def test_no_text_that_people_type_is_kept() -> None:
    kept = {
        f"{model._meta.label}.{one.name}"
        for model in about_patients()
        if (fate := fate_of(model)) is not None and not fate.removed
        for one in model._meta.local_concrete_fields
        if one.name not in TECHNICAL and one.name not in fate.values and _is_text(one)
    }
    assert kept == set(KEPT_TEXT)


def _is_text(one: "Field[Any, Any]") -> bool:
    return isinstance(one, CharField | TextField | JSONField) and not one.choices


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"keep": ["patient"]},
        {"keep": [*(one.name for one in Anonymisation._meta.local_concrete_fields if one.name not in TECHNICAL), "nothing"]},
        {"keep": ["patient"], "removed": True},
        {"blank": [one.name for one in Patient._meta.local_concrete_fields if one.name not in TECHNICAL], "keep": ["sex"]},
    ],
)
def test_a_declaration_that_leaves_something_out_or_says_it_twice_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        anonymised(**said)(Patient if "blank" in said else Anonymisation)
