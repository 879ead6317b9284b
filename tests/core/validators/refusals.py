"""How these tests ask for the code under which a rule refuses."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError


def code_of(rule: Callable[..., Any], *args: Any, **kwargs: Any) -> str | None:
    """The code of the refusal; "accepted" when there was none."""
    try:
        rule(*args, **kwargs)
    except ValidationError as error:
        return error.code
    return "accepted"
