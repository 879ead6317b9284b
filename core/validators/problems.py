"""Collects what is wrong, so that every wrong field is named at once."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.errors import Detail, ValidationFailed


class Problems:
    """`cleaned["phone"] = problems.check("phone", clean_phone, value, country="GB")`, then `problems.raise_if_any()`."""

    def __init__(self) -> None:
        self.details: list[Detail] = []

    def check(self, field: str, rule: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the rule returns, or None after noting what it refused."""
        try:
            return rule(*args, **kwargs)
        except ValidationError as error:
            self.details += [_detail(field, single) for single in error.error_list]
            return None

    def add(self, field: str, code: str, message: str) -> None:
        self.details.append(Detail(field, code, message))

    def raise_if_any(self) -> None:
        """Raise ValidationFailed with all of it."""
        if len(self.details) == 1:
            raise ValidationFailed(self.details[0].message, self.details)
        if self.details:
            raise ValidationFailed(_("Some fields are wrong."), self.details)


def details_of(error: ValidationError) -> list[Detail]:
    """What Django's `full_clean` found, field by field, under the codes of the rules."""
    return [_detail(field, single) for field, found in error.error_dict.items() for single in found]


def _detail(field: str, error: ValidationError) -> Detail:
    message = str(error.message % error.params if error.params else error.message)
    return Detail(field, error.code or "invalid", message)
