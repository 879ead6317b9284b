"""Search tokens under a new key of the clinic (core.keys.rotation): built beside the old ones, which go when nobody needs them."""

from collections.abc import Callable, Iterator
from uuid import UUID

from core.keys.places import working
from patients.choices import PatientStatus
from patients.models import Patient, PatientToken
from patients.querysets import PatientQuerySet
from patients.tokens import RECORD, record_pieces, token_under, tokens_under

BATCH = 25  # patients in one transaction: some 750 tokens, and nobody waits long for one of their records
MOST_PASSES = 20  # over patients whose records somebody holds


class PatientTokens:
    """Every patient has the token of their record number, which never changes: whoever has it under a key has all under it.

    But for those who are anonymised: they have no tokens, and get none.
    """

    def build(self, clinic_id: UUID, key: bytes) -> Iterator[int]:
        def lacking(ids: list[UUID]) -> list[UUID]:
            having = _having(clinic_id, ids, key)
            return [pk for pk in ids if pk not in having]

        return _until_none(clinic_id, lacking, lambda patients: _add(clinic_id, patients, key))

    def drop(self, clinic_id: UUID, key: bytes) -> Iterator[int]:
        def having(ids: list[UUID]) -> list[UUID]:
            return sorted(_having(clinic_id, ids, key))

        return _until_none(clinic_id, having, lambda patients: _remove(clinic_id, patients, key))


def _until_none(
    clinic_id: UUID, chosen: Callable[[list[UUID]], list[UUID]], change: Callable[[list[Patient]], None]
) -> Iterator[int]:
    """Change the tokens of those who are chosen, batch by batch; over again while some were held by others."""
    for _ in range(MOST_PASSES):
        wanted = 0
        for ids in _batches(clinic_id):
            with working():
                left = chosen(ids)
                rows = _known(clinic_id).filter(pk__in=left).order_by("pk")
                patients = list(rows.select_for_update(skip_locked=True, no_key=True)) if left else []
                if patients:
                    change(patients)
            wanted += len(left)
            yield len(patients)
        if not wanted:
            return


def _known(clinic_id: UUID) -> PatientQuerySet:
    """Those who have tokens."""
    rows: PatientQuerySet = Patient.objects.filter(clinic_id=clinic_id)
    return rows.exclude(status=PatientStatus.ANONYMISED)


def _batches(clinic_id: UUID) -> Iterator[list[UUID]]:
    after = UUID(int=0)
    while True:
        with working():
            rows = _known(clinic_id).filter(pk__gt=after).order_by("pk")
            ids = list(rows.values_list("pk", flat=True)[:BATCH])
        if not ids:
            return
        yield ids
        after = ids[-1]


def _having(clinic_id: UUID, ids: list[UUID], key: bytes) -> set[UUID]:
    """Those whose record number has its token under the key."""
    numbers = Patient.objects.filter(clinic_id=clinic_id, pk__in=ids).values_list("pk", "mrn")
    marks = {pk: token_under(key, RECORD, max(record_pieces(mrn), key=len)) for pk, mrn in numbers}
    found = PatientToken.objects.filter(clinic_id=clinic_id, token__in=set(marks.values()), patient_id__in=ids)
    there = set(found.values_list("patient_id", "token"))
    return {pk for pk, mark in marks.items() if (pk, mark) in there}


def _add(clinic_id: UUID, patients: list[Patient], key: bytes) -> None:
    pairs = sorted((token, patient.pk) for patient in patients for token in tokens_under(key, patient))
    rows = [PatientToken(clinic_id=clinic_id, patient_id=pk, token=token) for token, pk in pairs]
    PatientToken.objects.bulk_create(rows, ignore_conflicts=True)


def _remove(clinic_id: UUID, patients: list[Patient], key: bytes) -> None:
    """By the tokens themselves: the table has no index by patient."""
    gone = {token for patient in patients for token in tokens_under(key, patient)}
    PatientToken.objects.filter(clinic_id=clinic_id, token__in=gone, patient_id__in=[one.pk for one in patients]).delete()
