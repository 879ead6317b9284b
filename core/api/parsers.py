"""JSON in, strictly."""

import json
from typing import Any

from django.core.exceptions import RequestDataTooBig
from rest_framework.parsers import BaseParser

from core.errors import BadRequest, PayloadTooLarge


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class StrictJSONParser(BaseParser):
    """A UTF-8 JSON object, or a BadRequest that says what is wrong. NaN, Infinity and bottomless nesting are refused."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            body = json.loads(stream.read().decode("utf-8"), parse_constant=_refuse_constant)
        except RequestDataTooBig as error:
            raise PayloadTooLarge("The body is larger than 1 MB.") from error
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not valid JSON.") from error
        if not isinstance(body, dict):
            raise BadRequest("The body must be a JSON object.")
        return body
