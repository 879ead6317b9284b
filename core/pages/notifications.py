"""The bell: what a person was told in this clinic, how much of it is unread, and that it was read."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from core.notifications.kinds import Told, told
from core.notifications.models import NotificationQuerySet
from core.notifications.services import mark_all_read, mark_read, own_notifications, unread_count
from core.pages.access import staff_page
from core.pages.reading import read_id
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther, is_fragment

A_PAGE, IN_PANEL = 30, 6


@require_GET
@staff_page
def notifications(request: ClinicRequest) -> HttpResponse:
    """The newest first, page by page; `before` is the id of the last that was seen, `show=unread` leaves out what was read. One
    query, and one more when something has changed."""
    before, only_unread = read_id(request.GET.get("before")), request.GET.get("show") == "unread"
    rows = own_notifications(request.actor)
    rows = rows.unread() if only_unread else rows
    found = _told(request, rows.filter(pk__lt=before) if before else rows, A_PAGE + 1)
    context = {
        "rows": found[:A_PAGE],
        "older": found[A_PAGE - 1].notification.pk if len(found) > A_PAGE else None,
        "only_unread": only_unread,
        "before": before,
        "unread": unread_count(request.actor),
    }
    return render(request, "core/notifications.html", context)


@require_GET
@staff_page
def unread(request: ClinicRequest) -> HttpResponse:
    """The number at the bell. No query while nothing changes."""
    return render(request, "core/_unread.html", {"unread": unread_count(request.actor)})


@require_GET
@staff_page
def panel(request: ClinicRequest) -> HttpResponse:
    """The newest few, for the panel under the bell. One query, and one more when something has changed."""
    return _panel(request)


@require_POST
@staff_page
def read(request: ClinicRequest, notification_id: UUID) -> HttpResponse:
    """It was read; with `open` go on to the page about it."""
    row = mark_read(actor=request.actor, notification_id=notification_id)
    if "open" in request.POST and (address := told(row, request.actor).address):
        return HttpResponseSeeOther(address)
    return _back(request)


@require_POST
@staff_page
def read_all(request: ClinicRequest) -> HttpResponse:
    """All up to `until`, the newest that the page showed."""
    count = mark_all_read(actor=request.actor, until=read_id(request.POST.get("until")))
    if not is_fragment(request):
        words = ngettext("%(count)d notification marked as read", "%(count)d notifications marked as read", count)
        toast(request, words % {"count": count} if count else _("Nothing was unread"))
    return _back(request)


def _told(request: ClinicRequest, rows: NotificationQuerySet, most: int) -> list[Told]:
    return [told(one, request.actor) for one in rows[:most]]


def _panel(request: ClinicRequest) -> HttpResponse:
    context: dict[str, Any] = {
        "rows": _told(request, own_notifications(request.actor), IN_PANEL),
        "unread": unread_count(request.actor),
    }
    return render(request, "core/_notifications_panel.html", context)


def _back(request: ClinicRequest) -> HttpResponse:
    return _panel(request) if is_fragment(request) else HttpResponseSeeOther(reverse("pages:notifications"))
