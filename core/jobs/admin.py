"""The ledger in the administration: what waits, runs, and failed; tried again or cancelled from the list."""

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounts.actor import Actor
from core.admin_site import ScopedAdmin, actor_of
from core.jobs.models import Job
from core.jobs.services import cancel, requeue
from core.jobs.statistics import queue_statistics
from core.workers.selectors import seen_processes


@admin.register(Job)
class JobAdmin(ScopedAdmin):
    """A clinic's administrators see its jobs, the platform's roles all."""

    resource = "job"
    read_only = True
    list_display = ("created_at", "kind", "queue", "state", "done", "attempts", "run_at", "cause")
    list_filter = ("state", "queue", "workers", "created_at")
    search_fields = ("kind", "request_id")
    ordering = ("-id",)
    actions = ("try_again", "cancel_jobs")
    fields = (
        *("id", "kind", "queue", "workers", "priority", "state", "done", "cause", "payload", "in_clinic", "dedupe_key", "after"),
        *("created_at", "run_at", "started_at", "finished_at", "attempts", "attempts_allowed", "worker", "lease_until"),
        *("requested_by", "request_id"),
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        rows: QuerySet[Job] = super().get_queryset(request)
        actor = _whole(request)
        return rows if actor.is_platform else rows.filter(in_clinic=actor.clinic_id)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With how the queues stand above the list, and for the platform's roles the processes that work on them."""
        actor = _whole(request)
        queues = [one for one in queue_statistics(actor.clinic_id) if one.is_used]
        processes = seen_processes() if actor.is_platform else []
        return super().changelist_view(request, {**(extra_context or {}), "queues": queues, "processes": processes})

    @admin.display(description=gettext_lazy("progress"))
    def done(self, obj: Job) -> str:
        return f"{obj.progress} % {obj.sentence}".strip()

    @admin.action(description=gettext_lazy("Try them again"), permissions=["retry"])
    def try_again(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        actor = _whole(request)
        self.each_by_service(request, rows, lambda job: requeue(actor=actor, job_id=job.pk), _("%d jobs queued again."))

    @admin.action(description=gettext_lazy("Cancel them"), permissions=["cancel"])
    def cancel_jobs(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        actor = _whole(request)
        self.each_by_service(request, rows, lambda job: cancel(actor=actor, job_id=job.pk), _("%d jobs cancelled."))

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "retry")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "cancel")


def _whole(request: HttpRequest) -> Actor:
    """Who acts; the platform's roles on all jobs, whichever clinic they work in."""
    actor = actor_of(request)
    return replace(actor, clinic_id=None) if actor.is_platform else actor
