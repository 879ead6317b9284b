"""What has to be done later about patients' records."""

from core.database.roles import DatabaseNotFit
from core.jobs.kinds import Run, Within, job_kind
from core.tenancy.context import clinic_scope
from patients.services import finish_anonymisation, pending_anonymisations


class NotFinished(Exception):
    """Some of it is left to the next try."""


@job_kind("patients.finish_anonymisations", queue="privacy", within=Within.NOTHING, gives_up_on=(DatabaseNotFit,))
def finish_anonymisations(run: Run) -> None:
    """The second step of those whose process died within it, or whose machine has no `DATABASE_MAINTENANCE_URL`."""
    assert run.clinic_id is not None  # noqa: S101  (scheduled for each clinic)
    with clinic_scope(run.clinic_id, reason="finish anonymisations"):
        pending = pending_anonymisations()
    for number, one in enumerate(pending, 1):
        finish_anonymisation(clinic_id=run.clinic_id, anonymisation_id=one)
        run.progress(99 * number // len(pending))
    with clinic_scope(run.clinic_id, reason="finish anonymisations"):
        if pending_anonymisations():
            raise NotFinished
