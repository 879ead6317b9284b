"""What the foundation itself has to do later: upkeep, seals, files, keys, the cache."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.cache.process import shared
from core.cache.warming import warm_clinic
from core.database.maintenance import carried_out, due, working_role
from core.database.roles import DatabaseNotFit, connection_apart
from core.history.anchors import seal_and_anchor
from core.jobs.kinds import GiveUp, Run, Within, job_kind
from core.jobs.services import enqueue
from core.keys import rotation
from core.tenancy.context import narrowed
from core.tenancy.models import Clinic
from core.uploads.sweeping import TooMany, sweep

HOURLY = timedelta(hours=1)
UNNAMED_FOR = timedelta(hours=24)  # no transaction lives as long


@job_kind("maintenance.daily", queue="maintenance", within=Within.NOTHING, attempts=3, pause=HOURLY, gives_up_on=(DatabaseNotFit,))
def maintain(run: Run) -> None:
    """What `manage.py maintain` does: old rows, statistics, vacuum, bloated indexes; then seals."""
    with connection_apart("hms_maintenance") as reading:
        tasks, role = due(reading), working_role(reading)
    failed = 0
    for number, (_task, _seconds, trouble) in enumerate(carried_out(tasks, role), 1):
        failed += bool(trouble)
        run.progress(99 * number // len(tasks), f"{number} / {len(tasks)}")
    seal_and_anchor(settings.HMS_AUDIT_ANCHORS_DIR)
    if failed:
        raise UpkeepFailed


class UpkeepFailed(Exception):
    """Something of what was due could not be done; another try may."""


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


@job_kind("keys.follow_marks", queue="privacy", within=Within.NOTHING, attempts=10, label=_("Encrypting protected fields"))
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
