"""What the foundation itself has to do later: messages, webhooks, upkeep, backups, seals, files, keys, the cache."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.backup.errors import BackupTrouble
from core.backup.running import back_up, drill_newest
from core.cache.process import shared
from core.cache.warming import warm_clinic
from core.data_sync import sending as syncing
from core.data_sync.sending import SwitchedOff
from core.data_sync.services import SENDING as SENDING_CHANGES
from core.database.advice import advice
from core.database.maintenance import Task, carried_out, due_daily, due_weekly, working_role
from core.database.roles import DatabaseNotFit, connection_apart
from core.history.anchors import read_anchors, seal_and_anchor
from core.history.verification import Verified, verify
from core.jobs.kinds import GiveUp, Run, Within, job_kind, over_in
from core.jobs.services import begin_at, enqueue
from core.keys import rotation
from core.messaging import courier
from core.messaging.courier import SENDING as SENDING_MESSAGES
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic
from core.uploads.sweeping import TooMany, sweep
from core.webhooks import sending
from core.webhooks.waking import SENDING as SENDING_WEBHOOKS

logger = logging.getLogger(__name__)

# A message may take half a minute through three channels, a batch of webhooks ten seconds: all within the queues' limits.
MESSAGE_SECONDS, WEBHOOK_SECONDS, SYNC_SECONDS = 12, 40, 1500
EVERY_MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=1)
HOURLY = timedelta(hours=1)
UNNAMED_FOR = timedelta(hours=24)  # no transaction lives as long


# --- Sending -----------------------------------------------------------------------------------------------------------------
@job_kind(SENDING_MESSAGES, queue="messages", within=Within.NOTHING, attempts=2)
def send_messages(run: Run) -> None:
    """Send what has been posted and is due. What is left when the time is over, another job sends."""
    tried = courier.send_waiting(until=over_in(MESSAGE_SECONDS))
    if tried:
        run.progress(99, _("%(count)d messages tried") % {"count": tried})
    _go_on(SENDING_MESSAGES, courier.next_due())


@job_kind(SENDING_WEBHOOKS, queue="webhooks", within=Within.NOTHING, attempts=2)
def send_webhooks(run: Run) -> None:
    """Send the events that endpoints want. What a pause holds back, and what came meanwhile, another job sends."""
    tried = sending.deliver_due(until=over_in(WEBHOOK_SECONDS))
    if tried:
        run.progress(99, _("%(count)d deliveries tried") % {"count": tried})
    _go_on(SENDING_WEBHOOKS, sending.next_due(SOON))


def _go_on(kind: str, moment: datetime | None) -> None:
    """With another job at that moment, unless the schedule's next one is as soon."""
    if moment is not None and moment <= timezone.now() + EVERY_MINUTE:
        begin_at(kind, moment)


@job_kind("external_systems.check", queue="external_systems", within=Within.NOTHING, attempts=1)
def check_external_systems(run: Run) -> None:
    """Look whether the external systems answer; their breakers learn of it, of all processes through Redis."""
    from core.outbound.checking import check_all  # the package takes megabytes of a process that asks nobody

    if found := check_all():
        sick = [f"{system} {endpoint}" for (system, endpoint), cause in found.items() if cause]
        words = _("%(count)d endpoints, of which %(sick)d don't answer: %(names)s") if sick else _("%(count)d endpoints answer")
        run.progress(99, words % {"count": len(found), "sick": len(sick), "names": ", ".join(sick)})


@job_kind(
    SENDING_CHANGES, queue="data_sync", within=Within.NOTHING, attempts=8, pause=timedelta(minutes=2), gives_up_on=(SwitchedOff,)
)
def send_changes(run: Run) -> None:
    """Send what has changed to the clinic's data sync, if it has one. A try goes on behind what the one before has sent."""
    assert run.clinic_id is not None  # noqa: S101  (scheduled for each clinic)
    say = lambda rows: run.progress(0, _("%(count)d rows sent") % {"count": rows})  # noqa: E731
    if not syncing.send_changes(run.clinic_id, say=say, until=over_in(SYNC_SECONDS)):
        enqueue(SENDING_CHANGES, clinic=run.clinic_id, dedupe_key=f"after-{run.id}")


# --- Upkeep ------------------------------------------------------------------------------------------------------------------
@job_kind("maintenance.daily", queue="maintenance", within=Within.NOTHING, attempts=3, pause=HOURLY, gives_up_on=(DatabaseNotFit,))
def maintain_daily(run: Run) -> None:
    """Delete what was kept for its time, renew statistics; then seal."""
    _carry_out(run, due_daily)
    seal_and_anchor(settings.HMS_AUDIT_ANCHORS_DIR)


@job_kind("maintenance.weekly", queue="maintenance", within=Within.NOTHING, attempts=3, pause=HOURLY, gives_up_on=(DatabaseNotFit,))
def maintain_weekly(run: Run) -> None:
    """Vacuum tables with dead rows, build bloated indexes anew."""
    _carry_out(run, due_weekly)


@job_kind(
    "maintenance.monthly", queue="maintenance", within=Within.NOTHING, attempts=2, pause=HOURLY, gives_up_on=(DatabaseNotFit,)
)
def maintain_monthly(run: Run) -> None:
    """Say which indexes to look at, and verify that nothing was changed behind the seals."""
    with connection_apart("hms_maintenance") as connection:
        found = advice(connection)
    for one in found:
        logger.warning("Index advice, %s: %s. %s", one.kind, one.subject, one.reason)
    run.progress(10, _("%(count)d indexes to look at") % {"count": len(found)})
    verified, wrong = Verified(), 0
    with connection_apart("hms_platform") as connection:
        for finding in verify(connection, verified, anchors=read_anchors(settings.HMS_AUDIT_ANCHORS_DIR)):
            logger.error("Not as it was sealed: %s", finding)
            wrong += 1
    words = _("%(count)d indexes to look at; %(blocks)d sealed blocks with %(rows)d rows verified")
    run.progress(99, words % {"count": len(found), "blocks": verified.blocks, "rows": verified.rows})
    if wrong:
        raise GiveUp(f"{wrong} things are not as they were sealed: see manage.py verify_audit")


def _carry_out(run: Run, due: Callable[[psycopg.Connection[Any]], list[Task]]) -> None:
    """One after another, also after one that fails. Raises UpkeepFailed then, for another try."""
    with connection_apart("hms_maintenance") as reading:
        tasks, role = due(reading), working_role(reading)
    failed = 0
    for number, (task, _seconds, trouble) in enumerate(carried_out(tasks, role), 1):
        if trouble:
            logger.error("%s failed.", task.words)
            failed += 1
        run.progress(99 * number // len(tasks), f"{number} / {len(tasks)}")
    if failed:
        raise UpkeepFailed


class UpkeepFailed(Exception):
    """Something of what was due could not be done; another try may."""


# --- Backups -----------------------------------------------------------------------------------------------------------------
@job_kind("backup.make", queue="backup", within=Within.NOTHING, attempts=2, pause=HOURLY)
def make_backup(run: Run) -> None:
    """Database and documents to HMS_BACKUP_TARGET, and the old ones away. Nothing where no target is set."""
    if not settings.HMS_BACKUP_TARGET:
        return run.progress(99, _("HMS_BACKUP_TARGET is not set"))
    with _giving_up():
        made, _removed = back_up(run.progress)
    if made.missing:
        raise GiveUp(f"the backup is made, and {len(made.missing)} files are missing: see manage.py sweep_uploads --dry-run")


@job_kind("backup.drill", queue="backup", within=Within.NOTHING, attempts=2, pause=HOURLY)
def drill_backup(run: Run) -> None:
    """Restore the newest backup into a scratch database, verify it, write down how long it took. Nothing without a target."""
    if not settings.HMS_BACKUP_TARGET:
        return run.progress(99, _("HMS_BACKUP_TARGET is not set"))
    with _giving_up():
        restored = drill_newest(run.progress)
    words = _("%(tables)d tables with %(rows)d rows restored and verified in %(seconds)d s")
    run.progress(99, words % {"tables": restored.tables, "rows": restored.rows, "seconds": restored.seconds})


@contextmanager
def _giving_up() -> Iterator[None]:
    """What is wrong with a backup, or with what it needs, is told as it is; another try is the next night's."""
    try:
        yield
    except BackupTrouble as error:
        raise GiveUp(str(error)) from error


@job_kind("audit.seal", queue="maintenance", within=Within.NOTHING, gives_up_on=(DatabaseNotFit,))
def seal(run: Run) -> None:
    """Seal what the audit trail and the access log have gained; once a day its heads are anchored."""
    seal_and_anchor(settings.HMS_AUDIT_ANCHORS_DIR)


@job_kind("uploads.sweep", queue="maintenance", within=Within.NOTHING)
def sweep_uploads(run: Run) -> None:
    """Remove files that no record names and that are a day old."""
    try:
        done = sweep(before=timezone.now() - UNNAMED_FOR)
    except TooMany as error:
        raise GiveUp("too many files would go: see manage.py sweep_uploads --dry-run") from error
    if done.missing:
        raise GiveUp(f"{len(done.missing)} files are missing: see manage.py sweep_uploads --dry-run")


@job_kind(
    "keys.follow_marks", queue="privacy", within=Within.NOTHING, attempts=10, label=gettext_lazy("Encrypting protected fields")
)
def follow_marks(run: Run, *, last: bool = False) -> None:
    """Encrypt what the clinic marks as protected, open what it doesn't any more; once more when every process knows the marks."""
    assert run.clinic_id is not None  # noqa: S101  (its kind's rule)
    changed_at = Clinic.objects.values_list("updated_at", flat=True).get(pk=run.clinic_id)
    rotation.follow_marks(run.clinic_id, lambda words: run.progress(0, words))
    known_at = rotation.known_after(changed_at)
    if not last and known_at > timezone.now():
        with narrowed(user_id=None):  # whoever ticked the fields is told once
            enqueue("keys.follow_marks", payload={"last": True}, clinic=run.clinic_id, run_at=known_at)


@job_kind("cache.warm", queue="cache", within=Within.CLINIC, attempts=2)
def warm_cache(run: Run) -> None:
    """Read what the first people of the day will ask for. Without Redis there is nothing that a worker could warm."""
    if shared is not None:
        warm_clinic()
