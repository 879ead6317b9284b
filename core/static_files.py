"""Static files under names that change with their content; the plain names while developing."""

from django.conf import settings
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """A file that is not collected keeps its plain name instead of failing the page (tests, DEBUG)."""

    manifest_strict = False
    support_js_module_import_aggregation = True

    def url(self, name: str, force: bool = False) -> str:
        if settings.DEBUG or not self.hashed_files:
            return self.base_url + name if self.base_url else name
        return str(super().url(name, force))
