"""Encrypted files take part in the rotation of keys (core.keys.rotation)."""

from collections.abc import Iterator
from uuid import UUID

from django.core.files.base import ContentFile

from core.keys.places import BATCH, Done, Target, label_of, working
from core.keys.sealing import HEADER
from core.security.crypto import Undecipherable
from core.uploads.store import context_of, folder, place_of
from core.uploads.sweeping import stored_columns


class Files:
    """The files that some row of the clinic names. One that is missing is the sweep's business, not ours."""

    name = "files"

    def renew(self, target: Target) -> Iterator[Done]:
        if target.clinic_id is None:
            return
        done = Done()
        for stored in self._named(target.clinic_id):
            label = self._label(target.clinic_id, stored)
            if label and target.is_outdated(label):
                self._renew_file(target, target.clinic_id, stored, done)
            if done.renewed >= BATCH:
                yield done
                done = Done()
        yield done

    def usage(self, clinic_id: UUID | None) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for stored in self._named(clinic_id) if clinic_id else ():
            if clinic_id and (label := self._label(clinic_id, stored)):
                found[label] = found.get(label, 0) + 1
        return found

    def _renew_file(self, target: Target, clinic_id: UUID, stored: UUID, done: Done) -> None:
        """Put in place whole: whoever reads meanwhile gets the old or the new, and both can be opened."""
        place = place_of(clinic_id, stored)
        try:
            with folder().open(place) as file, working():
                renewed = target.renewed(file.read(), context_of(clinic_id, stored))
        except Undecipherable:
            done.unreadable += (place,)
            return
        folder().replace(place, ContentFile(renewed))
        done.renewed += 1

    def _named(self, clinic_id: UUID) -> Iterator[UUID]:
        """In pieces, so that no transaction is open while files are written."""
        for model, name in stored_columns():
            after = UUID(int=0)
            while True:
                with working():
                    rows = model._default_manager.filter(clinic_id=clinic_id, **{f"{name}__gt": after}).order_by(name)
                    found = list(rows.values_list(name, flat=True)[:1000])
                yield from found
                if len(found) < 1000:
                    break
                after = found[-1]

    def _label(self, clinic_id: UUID, stored: UUID) -> bytes:
        """Under what it stands; nothing for a missing file."""
        try:
            with folder().open(place_of(clinic_id, stored)) as file:
                return label_of(file.read(HEADER))
        except FileNotFoundError:
            return b""
