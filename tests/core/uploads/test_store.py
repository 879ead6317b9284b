"""Kept files: encrypted, bound to their place, whole or not there; swept when nobody names them."""

import os
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.accounts.roles import Role
from core.security.crypto import Undecipherable
from core.tenancy.context import clinic_scope
from core.uploads.store import ContentMissing, content_of, folder, keep, place_of
from core.uploads.sweeping import FEW, sweep
from patients.models import Document
from patients.services import add_document
from tests.factories.world import Place, World

SECRET = b"Haemoglobin 13.5 g/dl, a letter about somebody. " * 20


def path_of(place: Place, stored: Any) -> Path:
    return Path(folder().path(place_of(place.clinic.pk, stored)))


def test_what_is_kept_comes_back_and_can_be_read_by_nobody_else(in_riverside: Place) -> None:
    stored = keep(SECRET)
    path = path_of(in_riverside, stored)
    assert content_of(stored) == SECRET
    assert SECRET[:20] not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert {parent.stat().st_mode & 0o077 for parent in (path.parent, path.parent.parent)} == {0}
    assert str(in_riverside.patients[0].pk) not in str(path)


def test_a_file_in_another_place_is_not_read(world: World) -> None:
    ours, theirs = world.riverside, world.hillcrest
    with clinic_scope(ours.clinic, reason="test"):
        stored, other = keep(SECRET), keep(b"other")
        path_of(ours, other).write_bytes(path_of(ours, stored).read_bytes())
        with pytest.raises(Undecipherable):
            content_of(other)
    with clinic_scope(theirs.clinic, reason="test"):
        with pytest.raises(ContentMissing):
            content_of(stored)
        path_of(theirs, stored).parent.mkdir(parents=True, exist_ok=True)
        path_of(theirs, stored).write_bytes(path_of(ours, stored).read_bytes())
        with pytest.raises(Undecipherable):
            content_of(stored)
        path_of(theirs, stored).unlink()


def test_a_changed_file_is_not_read(in_riverside: Place) -> None:
    stored = keep(SECRET)
    sealed = bytearray(path_of(in_riverside, stored).read_bytes())
    sealed[-1] ^= 1
    path_of(in_riverside, stored).write_bytes(sealed)
    with pytest.raises(Undecipherable):
        content_of(stored)


def test_a_write_that_fails_leaves_nothing(in_riverside: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = uuid4()
    place = place_of(in_riverside.clinic.pk, stored)
    beside = Path(folder().path(place)).parent
    before = set(beside.glob("*"))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        folder().save(place, ContentFile(b"half"))
    assert set(beside.glob("*")) == before


def test_the_store_has_no_addresses(in_riverside: Place) -> None:
    with pytest.raises(ValueError, match="no address"):
        folder().url(place_of(in_riverside.clinic.pk, keep(b"x")))


def test_only_old_files_that_nobody_names_are_swept(riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        document = add_document(
            actor=riverside.actor(Role.NURSE), patient_id=riverside.patients[0].pk, data={}, content=SECRET, file_name="a.txt"
        )
        orphan, young = keep(b"orphan"), keep(b"young")
        half = path_of(riverside, orphan).parent / ".unfinished-abc"
        half.write_bytes(b"half")
        old = (timezone.now() - timedelta(days=3)).timestamp()
        for path in (path_of(riverside, document.stored), path_of(riverside, orphan), half):
            os.utime(path, (old, old))
    before = timezone.now() - timedelta(days=1)
    dry = sweep(before=before, dry_run=True)
    assert dry.removed >= 2 and half.exists()
    done = sweep(before=before)
    assert done.removed == dry.removed and not half.exists()
    assert not path_of(riverside, orphan).exists()
    assert path_of(riverside, young).exists() and path_of(riverside, document.stored).exists()
    assert sweep(before=before).removed == 0


def test_many_files_that_nobody_names_are_left_alone(riverside: Place) -> None:
    """The database may be an old copy of the one they belong to."""
    with clinic_scope(riverside.clinic, reason="test"):
        paths = [path_of(riverside, keep(b"x")) for _ in range(FEW + 1)]
    old = (timezone.now() - timedelta(days=3)).timestamp()
    for path in paths:
        os.utime(path, (old, old))
    with pytest.raises(CommandError, match="Is this their database"):
        call_command("sweep_uploads", stdout=StringIO())
    assert all(path.exists() for path in paths)
    call_command("sweep_uploads", "--force", stdout=StringIO())
    assert not any(path.exists() for path in paths)


def test_a_file_that_is_finished_while_the_folder_is_read_is_young(riverside: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = folder()
    with clinic_scope(riverside.clinic, reason="test"):
        shelf = path_of(riverside, keep(b"x")).parent
    listed = type(store).listdir

    def late(self: Any, path: str) -> Any:
        folders, files = listed(self, path)
        return folders, [*files, ".unfinished-gone"] if path.endswith(shelf.name) else files

    monkeypatch.setattr(type(store), "listdir", late)
    assert sweep(before=timezone.now() - timedelta(days=1), dry_run=True).missing == []


def test_a_missing_file_is_told(riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        document = Document.objects.create(patient=riverside.patients[0], title="x", stored=uuid4(), size=1)
    with pytest.raises(CommandError, match=str(document.stored)):
        call_command("sweep_uploads", stdout=StringIO())
