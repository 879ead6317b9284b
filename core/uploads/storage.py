"""A folder outside of everything that is served. A file is there whole, and on the disk, or not at all."""

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

UNFINISHED = ".unfinished-"


class PrivateFolder(FileSystemStorage):
    """Files that only the owner of the process may read. They have no address."""

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(location=location, base_url=None, file_permissions_mode=0o600, directory_permissions_mode=0o700)

    def url(self, name: str | None) -> str:
        raise ValueError("An upload has no address: it goes out through a view that asks who wants it.")

    def _save(self, name: str, content: "File[Any]") -> str:
        """Written beside its place, forced to the disk, then moved: whoever finds the file finds all of it."""
        place = Path(self.path(name))
        self._make_folders(place.parent)
        handle, unfinished = tempfile.mkstemp(prefix=UNFINISHED, dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in content.chunks():
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(place)
            _force(place.parent)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise
        return name

    def replace(self, name: str, content: "File[Any]") -> None:
        """Put other content in the place of a file, at once: a reader finds the one or the other whole."""
        self._save(name, content)

    def _make_folders(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folders(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _force(folder.parent)


def _force(folder: Path) -> None:
    """The folder's own entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
