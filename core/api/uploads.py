"""Files through the API: in as multipart/form-data, out as they are."""

from typing import Any

from rest_framework import serializers
from rest_framework.parsers import MultiPartParser

from core.uploads.limits import readable_form
from core.uploads.words import REASONS


class UploadParser(MultiPartParser):
    """A form with a file, in memory: nothing of it is written to disk in clear."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        with readable_form():
            return super().parse(stream, media_type, parser_context)


class UploadField(serializers.FileField):
    """One file. What it may be, core.uploads says."""

    default_error_messages = {
        "required": REASONS["required"],
        "invalid": "Send a file, with a name.",
        "no_name": "Send a file, with a name.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty_file=True, use_url=False, **kwargs)
