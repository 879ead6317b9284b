"""Where a person is signed in, and the buttons that end it there."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from core.accounts.auth_sessions import Ended, end_session, end_sessions, sessions_of
from core.errors import NotFound
from core.pages.access import signed_in
from core.pages.agents import agent_name
from core.pages.toasts import toast
from core.requests import HMSRequest
from core.responses import HttpResponseSeeOther


@require_http_methods(["GET", "POST"])
@signed_in
def own_sessions(request: HMSRequest) -> HttpResponse:
    """The person's own: GET lists them, POST ends `session`, or all `others` but this one. One query."""
    if request.method == "POST":
        return _end_others(request) if "others" in request.POST else _end(request, request.POST.get("session", ""))
    present = request.auth_session.id if request.auth_session else None
    found = [
        {"session": one, "name": agent_name(one.user_agent), "present": one.pk == present} for one in sessions_of(request.user)
    ]
    found.sort(key=lambda one: not one["present"])
    return render(request, "core/sessions.html", {"sessions": found})


def _end(request: HMSRequest, said: str) -> HttpResponse:
    try:
        session_id = UUID(said)
    except ValueError as error:
        raise NotFound(_("There is no such session.")) from error
    if not end_session(session_id, user_id=request.user.pk, why=Ended.BY_PERSON, by=request.user.pk):
        raise NotFound(_("There is no such session."))
    if request.auth_session and request.auth_session.id == session_id:
        return HttpResponseSeeOther(reverse("pages:sign-in"))
    toast(request, _("Signed out there"))
    return HttpResponseSeeOther(request.path)


def _end_others(request: HMSRequest) -> HttpResponse:
    present = request.auth_session.id if request.auth_session else None
    count = end_sessions(request.user, why=Ended.BY_PERSON, except_=present, by=request.user.pk)
    toast(request, ngettext("%(count)d session ended", "%(count)d sessions ended", count) % {"count": count})
    return HttpResponseSeeOther(request.path)
