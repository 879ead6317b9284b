"""Misconfiguration, said by number when HMS starts and by `manage.py check --deploy`."""

import base64
import binascii
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register


@register(Tags.security)
def secrets_are_set(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for number, name in ((1, "SECRET_KEY"), (2, "HMS_SEARCH_KEY")):
        if len(getattr(settings, name)) < 32:
            found.append(
                Error(f"{name} is not set or is shorter than 32 characters.", hint="See .env.example.", id=f"hms.E00{number}")
            )
    if not settings.HMS_ENCRYPTION_KEYS:
        found.append(Error("HMS_ENCRYPTION_KEYS is not set.", hint="`1:` and 32 random bytes in base64.", id="hms.E003"))
    for entry in settings.HMS_ENCRYPTION_KEYS:
        if not _is_key(entry):
            found.append(Error("HMS_ENCRYPTION_KEYS holds an entry that is not `number:base64 of 32 bytes`.", id="hms.E004"))
    return found


def _is_key(entry: str) -> bool:
    number, _, encoded = entry.partition(":")
    try:
        return number.isdigit() and 0 < int(number) < 256 and len(base64.urlsafe_b64decode(encoded)) == 32
    except (binascii.Error, ValueError):
        return False


@register(Tags.database)
def roles_are_apart(**_: Any) -> list[CheckMessage]:
    """Each role has its own URL; one for all would switch row-level security off in effect."""
    found: list[CheckMessage] = []
    urls = settings.DATABASE_ROLE_URLS
    for role, variable in (("hms_platform", "DATABASE_PLATFORM_URL"), ("hms_owner", "DATABASE_OWNER_URL")):
        if not urls[role]:
            found.append(Error(f"{variable} is not set.", hint="See .env.example: each role has its own URL.", id="hms.E005"))
        elif urls[role] == urls["hms_app"]:
            found.append(Error(f"{variable} is the same as DATABASE_URL.", id="hms.E006"))
    return found


@register(Tags.security, deploy=True)
def not_a_demo(**_: Any) -> list[CheckMessage]:
    if settings.HMS_DEMO:
        return [Warning("HMS_DEMO is on: everybody may sign in as anybody.", id="hms.W001")]
    return []
