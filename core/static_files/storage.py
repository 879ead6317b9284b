"""Static files under names that change with their content, style sheets in one piece; plain files while developing."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage

from core.static_files.compression import KeepingCompressor

SHEETS = ("css/hms.css",)
OWN_ORIGIN = "icons/"  # drawings that pages take parts of by <use>, which browsers refuse to load from another origin
IMPORT = re.compile(r'@import "([\w./-]+)";\n?')


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """A file that is not collected keeps its plain name instead of failing the page (tests, DEBUG)."""

    manifest_strict = False
    support_js_module_import_aggregation = True

    def __init__(self, *args: Any, **options: Any) -> None:
        self._addresses: dict[tuple[str, str | None], str] = {}  # a page has a hundred drawings, of one file
        super().__init__(*args, **options)

    def url(self, name: str, force: bool = False) -> str:
        if settings.DEBUG or not self.hashed_files:
            address = f"{self.base_url or ''}{name}"
        elif (found := self._addresses.get((name, self.base_url))) is not None:
            address = found
        else:
            address = self._addresses[name, self.base_url] = str(super().url(name, force))
        return address.removeprefix(settings.HMS_CDN_URL) if name.startswith(OWN_ORIGIN) else address

    def create_compressor(self, **options: Any) -> KeepingCompressor:
        return KeepingCompressor(settings.VAR_DIR / "packed", **options)

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Before names are hashed, write what a sheet of SHEETS imports into the sheet: one request instead of five."""
        whole = InMemoryStorage()
        for sheet in SHEETS:
            if sheet in paths and not dry_run:
                whole.save(sheet, ContentFile(_written_out(sheet, paths).encode()))
                paths[sheet] = (whole, sheet)
        yield from super().post_process(paths, dry_run, **options)
        if not dry_run:
            self.compressor.forget()
            self._addresses.clear()


def _written_out(name: str, paths: dict[str, Any]) -> str:
    """The sheet with its imports, which stand in the same folder, in their place."""
    storage, path = paths[name]
    with storage.open(path) as source:
        text: str = source.read().decode()
    folder = name.rpartition("/")[0]
    return IMPORT.sub(lambda match: _written_out(f"{folder}/{match[1]}", paths), text)
