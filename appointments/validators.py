"""What may be typed into the texts of scheduling."""

import re

from django.utils.translation import gettext as _

from core.errors import Detail

SURROGATE = re.compile("[\ud800-\udfff]")


def checked_text(field: str, text: str, longest: int, wrong: list[Detail], *, required: bool = False) -> str:
    """The text as it is; what is wrong with it is added to `wrong`."""
    if "\x00" in text:
        wrong.append(Detail(field, "null_characters_not_allowed", _("NUL characters are not allowed.")))
    elif SURROGATE.search(text):
        wrong.append(Detail(field, "surrogate_characters_not_allowed", _("Half characters (surrogates) are not allowed.")))
    elif len(text) > longest:
        wrong.append(Detail(field, "max_length", _("At most %(longest)s characters.") % {"longest": longest}))
    elif required and not text.strip():
        wrong.append(Detail(field, "required", _("This is needed.")))
    return text
