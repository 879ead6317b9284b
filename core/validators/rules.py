"""Tables of rules: one rule a field, the same for models, services, forms and serializers."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from core.validators.problems import Problems

Rule = Callable[[Any], Any]
Rules = Mapping[str, Rule]


def optional(rule: Rule, value: Any) -> Any:
    """None for nothing at all, else what the rule says: `partial(optional, clean_date)`."""
    return None if value is None or value == "" else rule(value)


def clean_fields(data: Mapping[str, Any], rules: Rules, problems: Problems) -> dict[str, Any]:
    """The fields as they are stored; what is wrong, unknown fields too, goes to `problems`."""
    cleaned = {}
    for field, value in data.items():
        if field in rules:
            cleaned[field] = problems.check(field, rules[field], value)
        else:
            problems.add(field, "unknown_field", _("There is no such field."))
    return cleaned
