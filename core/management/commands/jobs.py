"""`manage.py jobs`: the ledger, for an operator at the machine."""

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from core.errors import DomainError
from core.jobs.models import Job, State
from core.jobs.queues import QUEUES
from core.jobs.services import cancel, requeue, requeue_all
from core.jobs.statistics import queue_statistics
from core.tenancy.context import Scope, unit_of_work
from core.workers.selectors import seen_processes

SHOWN = (
    *("id", "kind", "queue", "state", "priority", "in_clinic", "payload", "attempts", "attempts_allowed", "progress", "sentence"),
    *("cause", "worker", "created_at", "run_at", "started_at", "finished_at", "requested_by", "request_id", "dedupe_key", "after"),
)


class Command(BaseCommand):
    help = "List jobs, show, cancel and retry them; dead letters; statistics."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listed = actions.add_parser("list", help="The newest jobs.")
        listed.add_argument("--state", choices=State.values)
        self._filters(listed)
        dead = actions.add_parser("dead", help="Dead letters: what failed and is not tried again by itself.")
        self._filters(dead)
        for name, words in (("show", "All that is known of a job."), ("cancel", "It is not done."), ("retry", "Try it again.")):
            one = actions.add_parser(name, help=words)
            one.add_argument("id", type=UUID)
            one.add_argument("--json", action="store_true")
        every = actions.add_parser("retry-all", help="Try every dead letter again.")
        every.add_argument("--kind", default="")
        every.add_argument("--queue", choices=QUEUES, default="")
        for name, words in (("stats", "How the queues stand."), ("workers", "The processes that work on jobs.")):
            actions.add_parser(name, help=words).add_argument("--json", action="store_true")

    def _filters(self, parser: CommandParser) -> None:
        parser.add_argument("--kind")
        parser.add_argument("--queue", choices=QUEUES)
        parser.add_argument("--clinic", type=UUID, metavar="ID")
        parser.add_argument("--most", type=int, default=50)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        with unit_of_work(Scope(reason=f"manage.py jobs {options['action']}")):
            try:
                getattr(self, f"_{options['action'].replace('-', '_')}")(options)
            except DomainError as error:
                raise CommandError(str(error.message)) from error

    def _list(self, options: dict[str, Any]) -> None:
        rows = Job.objects.all()
        self._tell(rows.filter(state=options["state"]) if options["state"] else rows, options)

    def _dead(self, options: dict[str, Any]) -> None:
        self._tell(Job.objects.dead_letters(), options)

    def _tell(self, rows: QuerySet[Job], options: dict[str, Any]) -> None:
        for name, lookup in (("kind", "kind"), ("queue", "queue"), ("clinic", "in_clinic")):
            rows = rows.filter(**{lookup: options[name]}) if options[name] else rows
        found = list(rows.order_by("-pk")[: options["most"]])
        if options["json"]:
            self._write_json([_as_dict(job) for job in found])
            return
        for job in found:
            words = f"{job.progress} % {job.sentence}" if job.state == State.RUNNING else job.cause
            self.stdout.write(f"{job.pk}  {job.created_at:%Y-%m-%d %H:%M:%S}  {job.state:9}  {job.kind}  {words}".rstrip())
        if not found:
            self.stdout.write("There are none.")

    def _show(self, options: dict[str, Any]) -> None:
        job = Job.objects.filter(pk=options["id"]).first()
        if job is None:
            raise CommandError("There is no such job.")
        if options["json"]:
            self._write_json(_as_dict(job))
            return
        for name, value in _as_dict(job).items():
            self.stdout.write(f"{name:17} {value}")

    def _cancel(self, options: dict[str, Any]) -> None:
        cancel(actor=None, job_id=options["id"])
        self.stdout.write("Cancelled.")

    def _retry(self, options: dict[str, Any]) -> None:
        requeue(actor=None, job_id=options["id"])
        self.stdout.write("Queued again.")

    def _retry_all(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{requeue_all(actor=None, kind=options['kind'], queue=options['queue'])} jobs queued again.")

    def _stats(self, options: dict[str, Any]) -> None:
        found = queue_statistics()
        if options["json"]:
            self._write_json([one.as_dict() for one in found])
            return
        heads = ("waiting", "later", "running", "dead", "oldest s", "done/min", "wait p50 s", "wait p95 s", "failed %")
        self.stdout.write(f"{'queue':17}" + "".join(f"{head:>11}" for head in heads))
        for one in found:
            counts = (one.waiting, one.later, one.running, one.dead_letters, f"{one.oldest_s:.0f}", one.per_minute)
            waits = (_seconds(one.wait_p50_s), _seconds(one.wait_p95_s), f"{100 * one.failure_rate:.1f}")
            self.stdout.write(f"{one.queue:17}" + "".join(f"{value:>11}" for value in (*counts, *waits)))

    def _workers(self, options: dict[str, Any]) -> None:
        found = seen_processes()
        if options["json"]:
            self._write_json([one.as_dict() for one in found])
            return
        for one in found:
            words = f"{one.condition:13}  {one.silent_s:5.0f} s  {one.megabytes:5} MB  {one.succeeded} done, {one.failed} failed"
            self.stdout.write(f"{one.label:40}  {one.machine}  {words}  {one.started_at:%Y-%m-%d %H:%M}  {one.version}")
        if not found:
            self.stdout.write("There are none.")

    def _write_json(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, default=str))


def _as_dict(job: Job) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in SHOWN}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
