"""JSON in, strictly: what two readers could take for different things is refused, with a word on what is wrong."""

import json
import math
from typing import Any

from django.core.exceptions import RequestDataTooBig
from rest_framework.parsers import BaseParser

from core.errors import BadRequest, Detail, PayloadTooLarge

DEPTH = 20  # objects and arrays inside each other
DIGITS = 19  # of a whole number: what fits into 64 bits
NOT_JSON = "The body is not valid JSON."
TOO_DEEP = f"The body is nested more than {DEPTH} deep."
TOO_LARGE = f"The body holds a number that is too large: whole ones have at most {DIGITS} digits."


class StrictJSONParser(BaseParser):
    """A UTF-8 JSON object, or a BadRequest that says what is wrong.

    Refused: names that come twice, NaN and Infinity, numbers beyond 64 bits, nesting beyond `DEPTH`.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            body = json.loads(
                stream.read().decode("utf-8"),
                object_pairs_hook=_object,
                parse_int=_whole_number,
                parse_float=_number,
                parse_constant=_constant,
            )
        except RequestDataTooBig as error:
            raise PayloadTooLarge("The body is larger than 1 MB.") from error
        except RecursionError as error:
            raise _refused("too_deep", TOO_DEEP) from error
        except ValueError as error:
            raise _refused("invalid", NOT_JSON) from error
        if not isinstance(body, dict):
            raise _refused("invalid", "The body must be a JSON object.")
        _check_depth(body)
        return body


def _refused(code: str, message: str, field: str = "") -> BadRequest:
    return BadRequest(message, [Detail(field, code, message)])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _refused("duplicate", "The body names a field twice.", twice[:100])
    return found


def _whole_number(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise _refused("too_large", TOO_LARGE)
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _refused("too_large", TOO_LARGE)
    return number


def _constant(name: str) -> Any:
    raise _refused("invalid", f"{name} is not JSON.")


def _check_depth(body: Any) -> None:
    """Level by level, so that no depth of ours is at stake. A body is level 1."""
    level: list[Any] = [body]
    for _ in range(DEPTH):
        inner = [one.values() if isinstance(one, dict) else one for one in level]
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
        if not level:
            return
    raise _refused("too_deep", TOO_DEEP)
