"""Static files under names that change with their content, style sheets in one piece; plain files while developing."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from whitenoise.compress import Compressor
from whitenoise.storage import CompressedManifestStaticFilesStorage

SHEETS = ("css/hms.css",)
IMPORT = re.compile(r'@import "([\w./-]+)";\n?')


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """A file that is not collected keeps its plain name instead of failing the page (tests, DEBUG)."""

    manifest_strict = False
    support_js_module_import_aggregation = True

    def url(self, name: str, force: bool = False) -> str:
        if settings.DEBUG or not self.hashed_files:
            return self.base_url + name if self.base_url else name
        return str(super().url(name, force))

    def create_compressor(self, **options: Any) -> Compressor:
        """Gzip alone: brotli at its best takes half a minute for files that hardly change."""
        return Compressor(**options | {"use_brotli": False})

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        """Before names are hashed, write what a sheet of SHEETS imports into the sheet: one request instead of five."""
        whole = InMemoryStorage()
        for sheet in SHEETS:
            if sheet in paths and not dry_run:
                whole.save(sheet, ContentFile(_written_out(sheet, paths).encode()))
                paths[sheet] = (whole, sheet)
        yield from super().post_process(paths, dry_run, **options)


def _written_out(name: str, paths: dict[str, Any]) -> str:
    """The sheet with its imports, which stand in the same folder, in their place."""
    storage, path = paths[name]
    with storage.open(path) as source:
        text: str = source.read().decode()
    folder = name.rpartition("/")[0]
    return IMPORT.sub(lambda match: _written_out(f"{folder}/{match[1]}", paths), text)
