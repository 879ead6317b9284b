"""Pages and large pieces of pages, rendered once for all who may see the same. Forms get their own tokens when they are sent."""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from core.cache import TTL, Key, cache
from core.cache.tags import Tags
from core.pages.tokens import form_token
from core.requests import ClinicRequest

Context = Callable[[], dict[str, Any]]
Pieces = tuple[bytes | str, ...]  # a page's text as it is sent, and at each odd place a mark


class KeptPage(HttpResponse):
    """A page from the cache; `kept_as`: family and key of its place there."""

    def __init__(self, request: ClinicRequest, pieces: Pieces, kept_as: tuple[str, str]) -> None:
        sent = list(pieces)
        sent[1::2] = _tokens(request, pieces[1::2])
        super().__init__(b"".join([piece.encode() if isinstance(piece, str) else piece for piece in sent]))
        self.kept_as = kept_as


@lru_cache(maxsize=8)
def _mark(name: str, secret: str) -> str:
    """What stands for a token in what is kept: nobody can type it, every process writes it alike."""
    return hmac.digest(secret.encode(), f"core.pages.fragments {name}".encode(), "sha256").hex()


_TAG_SAID = 'data-tag="{}"'
_TAG = "0" * 32  # in the place of a fragment's tag, which follows from all of its text


def _marks() -> dict[str, str]:
    """In the place of the tokens in a template's context."""
    return {"csrf_token": _mark("csrf", settings.SECRET_KEY), "kept_key": _mark("key", settings.SECRET_KEY), "kept_tag": _TAG}


def kept_fragment(
    request: ClinicRequest, template: str, context: Context, *, tags: Tags, now: datetime, also: tuple[Any, ...]
) -> SafeString:
    """The rendered template, from the cache if somebody with the same rights had it rendered in this minute.

    What it shows follows from `context()`, the clinic's zone, the person's rights, `also` and the minute. It is given nothing of
    the request.
    """
    pieces = _kept_pieces(request, template, context, tags=tags, now=now, also=also)
    return mark_safe(_with_tokens(request, pieces))  # noqa: S308 (a template's own output)


def answer_fragment(request: ClinicRequest, markup: SafeString, status: int = 200) -> HttpResponse:
    """The fragment with what is to be told to this person; 304 for a script that says it shows exactly this one already.

    Its outermost element says `data-tag="{{ kept_tag }}"`, by which the script names what it shows.
    """
    shown = request.headers.get("If-None-Match", "").strip('"')
    if shown and status == 200 and not has_news(request) and _TAG_SAID.format(shown) in markup:
        return HttpResponse(status=304)
    toasts = render_to_string("components/toasts.html", {"oob": True}, request)
    return HttpResponse(markup + toasts, status=status)


def kept_markup(
    request: ClinicRequest, template: str, context: Context, *, tags: Tags, now: datetime, also: tuple[Any, ...]
) -> SafeString:
    """The same with marks for the tokens: for a page that is kept as a whole."""
    return mark_safe("".join(_kept_pieces(request, template, context, tags=tags, now=now, also=also)))  # noqa: S308


def _kept_pieces(
    request: ClinicRequest, template: str, context: Context, *, tags: Tags, now: datetime, also: tuple[Any, ...]
) -> tuple[str, ...]:
    def pieces() -> tuple[str, ...]:
        # Without the request, and so without anything that is this person's alone.
        html = render_to_string(template, {"actor": request.actor} | _marks() | context())
        return _pieces(html.replace(_TAG_SAID.format(_TAG), _TAG_SAID.format(_digest(html)), 1))

    kept = Key(f"page.{template}", _minute(now), request.clinic.time_zone, request.actor.seen_as, get_language(), *also)
    return cache.get_or_set(kept, tags=tags, load=pieces, ttl=TTL.EMERGENCY)


def kept_page(
    request: ClinicRequest, template: str, context: Context, *, tags: Tags, now: datetime, also: tuple[Any, ...]
) -> HttpResponse:
    """The whole page with its frame, from the cache if this person had it rendered in this minute.

    Its pieces are `kept_markup`, and `tags` hold theirs. A page that has something to tell (a toast) is rendered for once.
    """
    if has_news(request):
        return render(request, template, _own(request, context))

    def pieces() -> Pieces:
        texts = _pieces(render_to_string(template, context() | _marks(), request))
        # As they are sent: encoding fifty kilobytes takes longer than all else that is done with a page that is kept.
        return tuple(text if place % 2 else text.encode() for place, text in enumerate(texts))

    kept = Key(f"page.whole.{template}", _minute(now), request.path, *seen_in_the_frame(request), *also)
    found = cache.get_or_set(kept, tags=tags, load=pieces, ttl=TTL.EMERGENCY)
    return KeptPage(request, found, (kept.family, kept.text()))


def has_news(request: ClinicRequest) -> bool:
    """Is there something to tell this person, once?"""
    return len(get_messages(request)) > 0


def _own(request: ClinicRequest, context: Context) -> dict[str, Any]:
    """The context with the pieces in it as they are sent."""
    return {
        name: mark_safe(_with_tokens(request, _pieces(value))) if isinstance(value, SafeString) else value  # noqa: S308
        for name, value in context().items()
    }


def seen_in_the_frame(request: ClinicRequest) -> tuple[Any, ...]:
    """All that base.html shows of the request beside its path (core.pages.context.frame); memberships and clinic come with it."""
    user, clinic = request.user, request.clinic
    places = tuple((one.clinic_id, one.clinic.name) for one in request.memberships)
    person = user.pk, user.full_name, user.platform_role
    return (
        *person, clinic.pk, clinic.name, clinic.time_zone, places, request.actor.seen_as, get_language(),
        request.COOKIES.get("hms_rail") == "narrow",
    )  # fmt: skip


def _digest(html: str) -> str:
    return hashlib.blake2b(html.encode(), digest_size=16).hexdigest()


def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


def _pieces(html: str) -> tuple[str, ...]:
    """The text between the marks, and at each odd place a mark."""
    return tuple(re.split("({csrf_token}|{kept_key})".format(**_marks()), html))


def _with_tokens(request: ClinicRequest, pieces: tuple[str, ...]) -> str:
    sent = list(pieces)
    sent[1::2] = _tokens(request, pieces[1::2])
    return "".join(sent)


def _tokens(request: ClinicRequest, marks: tuple[Any, ...]) -> list[str]:
    """In each mark's place: the person's token, or for each form a key of its own (a random beginning and a number)."""
    key, random = _mark("key", settings.SECRET_KEY), str(uuid4())[:24]
    token = form_token(request) if _mark("csrf", settings.SECRET_KEY) in marks else ""
    return [f"{random}{number:012x}" if mark == key else token for number, mark in enumerate(marks)]
