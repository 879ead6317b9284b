"""Files that nobody names, left by requests that were rolled back; and rows whose file is gone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.apps import apps
from django.db.models import Model

from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from core.uploads.store import StoredFileField, folder, place_of


@dataclass(slots=True)
class Swept:
    """Counts of files; `missing` are rows' places without a file."""

    kept: int = 0
    removed: int = 0
    missing: list[str] = field(default_factory=list)


FEW = 20  # files that may go whatever their share is
SHARE = 0.1  # of a clinic's old files; requests that fail after their file was written are rare


class TooMany(Exception):
    """So many files are named by nobody that the database is likely not the one they belong to."""


def sweep(*, before: datetime, dry_run: bool = False, force: bool = False) -> Swept:
    """Remove the files written before that moment that no row names. One query for each clinic and field.

    The folders of clinics that this database doesn't know are left alone: they may be another installation's.
    Raises TooMany, unless forced, at a clinic of whose files more than a tenth would go; nothing of that clinic is removed.
    `before` must be older than any transaction may live: younger files may be named by a row that isn't committed yet.
    """
    done = Swept()
    for clinic in Clinic.objects.order_by("pk"):
        with clinic_scope(clinic, reason="sweep uploads"):
            _sweep_clinic(clinic.pk, before, done, dry_run=dry_run, force=force)
    return done


def _sweep_clinic(clinic_id: UUID, before: datetime, done: Swept, *, dry_run: bool, force: bool) -> None:
    store = folder()
    old = {place for place in _places(clinic_id) if _is_older(place, before)}
    named = set(_named(clinic_id))  # read after the folder: whoever wrote an old file has long committed or not
    gone = len(old - named)
    if not (dry_run or force) and gone > max(FEW, SHARE * len(old)):
        raise TooMany(f"{gone} of {len(old)} files of the clinic {clinic_id} are named by no record. Is this their database?")
    for place in sorted(old - named):
        if not dry_run:
            store.delete(place)
        done.removed += 1
    done.kept += len(old & named)
    done.missing += sorted(place for place in named - old if not store.exists(place))


def _is_older(place: str, before: datetime) -> bool:
    """A file that was listed and is gone was being finished just now, under another name."""
    try:
        return folder().get_modified_time(place) < before
    except FileNotFoundError:
        return False


def _places(clinic_id: UUID) -> Iterator[str]:
    """Every file of the clinic, those that were never finished too."""
    for shelf in _listed(str(clinic_id))[0]:
        for name in _listed(f"{clinic_id}/{shelf}")[1]:
            yield f"{clinic_id}/{shelf}/{name}"


def _named(clinic_id: UUID) -> Iterator[str]:
    for model, name in stored_columns():
        for stored in model._default_manager.exclude(**{name: None}).values_list(name, flat=True):
            yield place_of(clinic_id, stored)


def stored_columns() -> Iterator[tuple[type[Model], str]]:
    """Every field of every model that names a file."""
    for model in apps.get_models():
        for one in model._meta.local_fields:
            if isinstance(one, StoredFileField):
                yield model, one.name


def _listed(path: str) -> tuple[list[str], list[str]]:
    try:
        return folder().listdir(path)
    except FileNotFoundError:
        return [], []
