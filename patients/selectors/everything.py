"""Every row that the database holds about one patient, found by the references between models: tomorrow's table is among them."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db.models import ForeignKey, Model, Q

from core.tenancy.context import current_clinic_id
from patients.models import Patient

# What refers to a patient and is no knowledge about them.
DERIVED = {
    "patients.PatientToken": "keyed hashes of pieces of the record, for finding it",
    "appointments.Claim": "the visit's time once more, so that nobody is booked twice",
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


def _rows(model: type[Model], about: dict[type[Model], list[Any]], patient: Patient) -> Any:
    rows = model._default_manager.filter(clinic_id=current_clinic_id()).order_by("pk")
    if model is Patient:
        return rows.select_related(*_named(model)).filter(pk=patient.pk)
    wanted = Q()
    for field in _references(model):
        ids = [row.pk for row in about.get(field.related_model, ())]
        wanted |= Q(**{f"{field.attname}__in": ids})
    return rows.select_related(*_named(model)).filter(wanted)


def _references(model: type[Model]) -> list[Any]:
    """The fields by which it belongs to a patient."""
    bound = set(bound_models()) if model is not Patient else set()
    return [one for one in model._meta.local_fields if isinstance(one, ForeignKey) and one.related_model in bound]


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
        if getattr(one, "table_kind", "") == "clinic" and any(
            isinstance(field, ForeignKey) and field.related_model is model for field in one._meta.local_fields
        ):
            yield one
