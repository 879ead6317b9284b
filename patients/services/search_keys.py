"""Search tokens under a new key of the clinic (core.keys.rotation): built beside the old ones, which go when nobody needs them."""

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q

from core.keys.places import working
from patients.models import Patient, PatientToken
from patients.tokens import RECORD, record_pieces, token_under, tokens_under

BATCH = 100  # patients in one transaction: some 3,000 tokens
MOST_PASSES = 20  # over patients whose records somebody holds


class PatientTokens:
    """Every patient has the token of their record number, which never changes: whoever has it under a key has all under it."""

    def build(self, clinic_id: UUID, key: bytes) -> Iterator[int]:
        for _ in range(MOST_PASSES):
            missing = 0
            for ids in _batches(clinic_id):
                with working():
                    lacking = _lacking(clinic_id, ids, key)
                    written = _write(clinic_id, lacking, key)
                missing += len(lacking)
                yield written
            if not missing:
                return

    def clean(self, clinic_id: UUID, key: bytes) -> Iterator[int]:
        for ids in _batches(clinic_id):
            with working():
                yield _write(clinic_id, ids, key, alone=True)


def _batches(clinic_id: UUID) -> Iterator[list[UUID]]:
    after = UUID(int=0)
    while True:
        with working():
            ids = list(
                Patient.objects.filter(clinic_id=clinic_id, pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]
            )
        if not ids:
            return
        yield ids
        after = ids[-1]


def _lacking(clinic_id: UUID, ids: list[UUID], key: bytes) -> list[UUID]:
    """Those whose record number has no token under the key."""
    marks = {pk: _mark(key, mrn) for pk, mrn in Patient.objects.filter(clinic_id=clinic_id, pk__in=ids).values_list("pk", "mrn")}
    found = PatientToken.objects.filter(clinic_id=clinic_id, token__in=set(marks.values()), patient_id__in=ids)
    there = set(found.values_list("patient_id", "token"))
    return [pk for pk, mark in marks.items() if (pk, mark) not in there]


def _mark(key: bytes, mrn: str) -> int:
    return token_under(key, RECORD, max(record_pieces(mrn), key=len))


def _write(clinic_id: UUID, ids: list[UUID], key: bytes, *, alone: bool = False) -> int:
    """The tokens under the key, of those whose records nobody holds; with `alone` no others stay. How many patients."""
    if not ids:
        return 0
    rows = Patient.objects.filter(clinic_id=clinic_id, pk__in=ids).order_by("pk")
    patients = list(rows.select_for_update(skip_locked=not alone, no_key=True))
    wanted = {patient.pk: tokens_under(key, patient) for patient in patients}
    if alone:
        others = Q()
        for pk, tokens in wanted.items():
            others |= Q(patient_id=pk) & ~Q(token__in=tokens)
        PatientToken.objects.filter(others, clinic_id=clinic_id).delete()
    made = [PatientToken(clinic_id=clinic_id, patient_id=pk, token=token) for pk, tokens in wanted.items() for token in tokens]
    PatientToken.objects.bulk_create(sorted(made, key=lambda one: (one.token, one.patient_id)), ignore_conflicts=True)
    return len(patients)
