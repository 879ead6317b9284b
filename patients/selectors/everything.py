"""Every row that the database holds about one patient, found by the references between models: tomorrow's table is among them."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Field, ForeignKey, Model, Q

from core.tenancy.context import current_clinic_id
from patients.models import Patient

# What refers to a patient and is no knowledge about them.
DERIVED = {
    "patients.PatientToken": "keyed hashes of pieces of the record, for finding it",
    "appointments.Claim": "the visit's time once more, so that nobody is booked twice",
    "patients.Anonymisation": "that the record is nobody's any more; there is none of anybody",
    "core.BreakGlass": "who opened the record in an emergency: the access report tells it",
}


@lru_cache(maxsize=1)
def bound_models() -> tuple[type[Model], ...]:
    """Patient, what refers to it, what refers to that, and so on; in an order that each stands behind what it refers to."""
    found: list[type[Model]] = [Patient]
    for model in found:  # grows while it is walked
        found += [one for one in _referring_to(model) if one not in found]
    return tuple(found)


def rows_about(patient: Patient) -> Iterator[tuple[type[Model], list[Any]]]:
    """Each model's rows about the patient, oldest first, with what they name. One query a model; for code that may see all."""
    about: dict[type[Model], list[Any]] = {}
    for model in bound_models():
        if model._meta.label in DERIVED:
            continue
        about[model] = list(_rows(model, about, patient))
        yield model, about[model]


def ids_about(patient_id: UUID) -> dict[type[Model], list[Any]]:
    """The same rows' keys, of all models, also those that are derived. One query a model."""
    about: dict[type[Model], list[Any]] = {}
    for model in bound_models():
        rows = model._default_manager.filter(clinic_id=current_clinic_id())
        about[model] = list(rows.filter(_is_about(model, about, patient_id)).order_by("pk").values_list("pk", flat=True))
    return about


def _rows(model: type[Model], about: dict[type[Model], list[Any]], patient: Patient) -> Any:
    rows = model._default_manager.filter(clinic_id=current_clinic_id()).order_by("pk")
    if named := _named(model):
        rows = rows.select_related(*named)
    ids = {one: [row.pk for row in found] for one, found in about.items()}
    return rows.filter(_is_about(model, ids, patient.pk))


def _is_about(model: type[Model], about: Mapping[type[Model], list[Any]], patient_id: UUID) -> Q:
    if model is Patient:
        return Q(pk=patient_id)
    wanted = Q()
    for field in _references(model):
        wanted |= Q(**{f"{field.attname}__in": about.get(_target(field), [])})
    return wanted


def _references(model: type[Model]) -> list[Any]:
    """The fields by which it belongs to a patient."""
    bound = set(bound_models()) if model is not Patient else set()
    return [one for one in model._meta.local_fields if _target(one) in bound]


def _target(field: "Field[Any, Any]") -> Any:
    """Whose key it holds: a reference says it; a patient's bare id, in a model that says so in `subject_path`, is the log's way."""
    if isinstance(field, ForeignKey):
        return field.related_model
    is_subject = field.attname == "patient_id" == getattr(field.model, "subject_path", "")
    return Patient if is_subject else None


def _named(model: type[Model]) -> list[str]:
    """What is shown by name beside its id: providers, services, who did it. Not the patient, not the clinic."""
    bound = set(bound_models())
    return [
        one.name
        for one in model._meta.local_fields
        if isinstance(one, ForeignKey) and one.related_model not in bound and one.name != "clinic"
    ]


def _referring_to(model: type[Model]) -> Iterator[type[Model]]:
    for one in apps.get_models():
        if getattr(one, "table_kind", "") == "clinic" and any(_target(field) is model for field in one._meta.local_fields):
            yield one
