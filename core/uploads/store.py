"""Keeps the content of uploads: encrypted, under a name that says nothing, in a folder of the clinic's own."""

from typing import cast
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import models

from core.errors import DomainError
from core.keys.sealing import seal, unseal
from core.tenancy.context import current_clinic_id
from core.tenancy.ids import new_id
from core.uploads.storage import PrivateFolder

ALIAS = "uploads"


class ContentMissing(DomainError):
    """The row is there and its file is not: a fault of ours, or of a backup that lacks the folder."""

    code = "INTERNAL_ERROR"
    status = 500


class StoredFileField(models.UUIDField):  # type: ignore[type-arg]
    """The name of a file in the store. What no such field of any table names is swept away (core.uploads.sweeping)."""


def keep(content: bytes) -> UUID:
    """Write the content and return its name, for a StoredFileField of a row saved in the same transaction. On disk when it returns.

    If the transaction is rolled back the file stays, named by nobody, until it is swept.
    """
    clinic_id, stored = current_clinic_id(), new_id()
    sealed = seal(content, clinic_id=clinic_id, context=context_of(clinic_id, stored))
    folder().save(place_of(clinic_id, stored), ContentFile(sealed))
    return stored


def content_of(stored: UUID | None) -> bytes:
    """The content as it was kept, in memory whole. Raises ContentMissing, also where no file is named any more; Undecipherable
    for a changed file or another's."""
    clinic_id = current_clinic_id()
    if stored is None:
        raise ContentMissing("The file was destroyed.")
    try:
        with folder().open(place_of(clinic_id, stored)) as file:
            sealed = file.read()
    except FileNotFoundError as error:
        raise ContentMissing("The file is missing from the store.") from error
    return unseal(sealed, context=context_of(clinic_id, stored))


def destroy(clinic_id: UUID, stored: UUID) -> None:
    """Remove the file. None there is not an error: it may have been removed before."""
    folder().delete(place_of(clinic_id, stored))


def place_of(clinic_id: UUID, stored: UUID) -> str:
    """Where it lies: by clinic, then by the last two characters, which are spread evenly."""
    return f"{clinic_id}/{stored.hex[-2:]}/{stored}"


def folder() -> PrivateFolder:
    return cast(PrivateFolder, storages[ALIAS])


def context_of(clinic_id: UUID, stored: UUID) -> str:
    """What is bound to the content: it is read in its own place only."""
    return f"uploads.{clinic_id}.{stored}"
