"""The keys of other systems: what there are, making one, showing it once, ending it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from clinics.forms import ApiKeyForm
from core.accounts.api_keys.models import ApiKey
from core.accounts.api_keys.scopes import givable, in_words
from core.accounts.api_keys.services import api_key, end_api_key, make_api_key
from core.accounts.api_keys.services import api_keys as keys_of_clinic
from core.errors import DomainError
from core.forms import show_problems
from core.pages.access import page, proved
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import go

OVER_SHOWN = 20  # of those that have ended or expired, the newest


@require_GET
@page("api_key", "view")
def api_keys(request: ClinicRequest) -> HttpResponse:
    """Those in use, and the last that were. Two queries."""
    every = keys_of_clinic().select_related("made_by", "ended_by")
    shown = {"live": _shown(every.live()), "over": _shown(every.over()[:OVER_SHOWN])}
    return render(request, "clinics/api_keys.html", shown)


@require_http_methods(["GET", "POST"])
@page("api_key", "create")
@proved
def make(request: ClinicRequest) -> HttpResponse:
    """The answer to the form shows the key: it is kept nowhere, so the form has no idempotency key whose answer would be."""
    form = ApiKeyForm(request.POST if request.method == "POST" else None, offered=givable(request.actor))
    if request.method == "POST":
        form.is_valid()
        data = form.cleaned_data
        try:
            key, text = make_api_key(actor=request.actor, name=data["name"], scopes=data["scopes"], days=form.whole_days())
        except DomainError as error:
            show_problems(form, error)
        else:
            return render(request, "clinics/api_key_made.html", {"key": key, "text": text, "scopes": in_words(key.scopes)})
    return render(request, "clinics/make_api_key.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@page("api_key", "end")
def end(request: ClinicRequest, key_id: UUID) -> HttpResponse:
    """Asks first."""
    if request.method == "GET":
        return render(request, "clinics/end_api_key.html", {"key": api_key(key_id)})
    key = end_api_key(actor=request.actor, key_id=key_id)
    toast(request, _("%(name)s: the key is ended") % {"name": key.name})
    return go(request, reverse("clinics:api-keys"))


def _shown(keys: Iterable[ApiKey]) -> list[dict[str, Any]]:
    return [{"key": key, "scopes": in_words(key.scopes), "dialog": f"end-{key.pk}"} for key in keys]
