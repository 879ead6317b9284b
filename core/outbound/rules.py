"""The rule for addresses of other systems that somebody types."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.outbound.addresses import LONGEST_URL, Guard, MalformedURL, Refused
from core.validators import clean_text


def clean_url(value: Any, *, guard: Guard) -> str:
    """An address that HMS may call, exactly as typed. What its name resolves to is judged at each connection."""
    url = clean_text(value, max_length=LONGEST_URL, required=True)
    try:
        return guard.checked_url(url)
    except MalformedURL:
        raise ValidationError(_("Write an address like https://system.example.org/path."), code="invalid_url") from None
    except Refused:
        raise ValidationError(_("HMS may not call this address: it is inside a network."), code="address_refused") from None
