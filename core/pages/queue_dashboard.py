"""The dashboard of jobs: for a clinic's administrators of its jobs, for the platform's roles of all."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from core.jobs import services
from core.jobs.kinds import known_kinds
from core.jobs.overview import JobFilter, as_far_as_seen, jobs_overview, seen_statistics
from core.jobs.queues import QUEUES
from core.pages.access import page
from core.pages.toasts import toast
from core.requests import ClinicRequest
from core.responses import HttpResponseSeeOther, is_fragment


@require_GET
@page("job")
def queue_dashboard(request: ClinicRequest) -> HttpResponse:
    """The whole page, or for a script what changes of it. Eight queries, nine for the platform's roles."""
    return _shown(request, _filter(request.GET))


@require_GET
@page("job")
def metrics(request: ClinicRequest) -> HttpResponse:
    """How the queues stand as JSON: what `jobs/stats` of the API says, for the platform's roles of all clinics. Two queries."""
    return JsonResponse({"queues": [one.as_dict() for one in seen_statistics(request.actor)]})


@require_POST
@page("job", "retry")
def retry(request: ClinicRequest, job_id: UUID) -> HttpResponse:
    services.requeue(actor=as_far_as_seen(request.actor), job_id=job_id)
    toast(request, _("The job is queued again"))
    return _back(request)


@require_POST
@page("job", "retry")
def retry_all(request: ClinicRequest) -> HttpResponse:
    """The dead letters that the filter shows, those behind the end of the list too."""
    only = _filter(request.POST)
    count = services.requeue_all(actor=as_far_as_seen(request.actor), kind=only.kind, queue=only.queue)
    toast(request, ngettext("%(count)d job queued again", "%(count)d jobs queued again", count) % {"count": count})
    return _back(request)


@require_POST
@page("job", "cancel")
def cancel(request: ClinicRequest, job_id: UUID) -> HttpResponse:
    services.cancel(actor=as_far_as_seen(request.actor), job_id=job_id)
    toast(request, _("The job is cancelled"))
    return _back(request)


def _filter(said: QueryDict) -> JobFilter:
    return JobFilter.read(said.get("queue"), said.get("kind"))


def _address(only: JobFilter) -> str:
    asked = urlencode([(name, value) for name, value in (("queue", only.queue), ("kind", only.kind)) if value])
    return reverse("pages:queue-dashboard") + (f"?{asked}" if asked else "")


def _back(request: ClinicRequest) -> HttpResponse:
    only = _filter(request.POST)
    return _shown(request, only) if is_fragment(request) else HttpResponseSeeOther(_address(only))


def _shown(request: ClinicRequest, only: JobFilter) -> HttpResponse:
    context: dict[str, Any] = {
        "overview": jobs_overview(actor=request.actor, only=only),
        "only": only,
        "address": _address(only),
    }
    if is_fragment(request):
        return render(request, "core/_queues.html", context | {"is_piece": True})
    return render(request, "core/queue_dashboard.html", context | {"queues": list(QUEUES), "kinds": list(known_kinds())})
