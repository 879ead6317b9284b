"""Keys of other systems, made as an operator makes them."""

from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from core.accounts.actor import system_actor
from core.accounts.api_keys.models import ApiKey
from core.accounts.api_keys.services import make_api_key
from core.tenancy.context import clinic_scope
from tests.factories.world import Place

_numbers = count(1)


def api_key(place: Place, *scopes: str, name: str = "") -> str:
    """The text of a new key of the clinic."""
    return made_key(place, *scopes, name=name)[1]


def made_key(place: Place, *scopes: str, name: str = "", **more: Any) -> tuple[ApiKey, str]:
    with clinic_scope(place.clinic, reason="test"):
        actor, name = system_actor(place.clinic.pk), name or f"Other system {next(_numbers)}"
        return make_api_key(actor=actor, name=name, scopes=scopes or ["clinic:view"], **more)


def turn_back(place: Place, key: ApiKey, **ago: Any) -> None:
    """As if its last use, or its end of life, were that long ago."""
    with clinic_scope(place.clinic, reason="test"):
        ApiKey.objects.filter(pk=key.pk).update(**{name: timezone.now() - timedelta(**span) for name, span in ago.items()})
