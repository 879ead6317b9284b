"""What must be right before HMS serves as a demo."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from hms.demo.guard import what_forbids_serving


@register()
def demo_has_no_other_data(**_: Any) -> list[CheckMessage]:
    """HMS_DEMO opens every account to everybody: never on a database with data of others."""
    sentence = what_forbids_serving() if settings.HMS_DEMO else ""
    return [Error(sentence, hint="Unset HMS_DEMO, or use another database.", id="hms.E020")] if sentence else []
