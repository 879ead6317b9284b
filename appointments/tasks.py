"""What has to be done later about visits."""

from datetime import timedelta

from django.utils.translation import gettext as _

from appointments.services import send_reminders
from core.jobs.kinds import Run, Within, job_kind, over_in
from core.tenancy.models import Clinic

SECONDS = 100  # of writing reminders in one job; what is left is due at the next run


@job_kind("reminders.send", queue="reminders", within=Within.NOTHING, attempts=3, pause=timedelta(seconds=30))
def remind(run: Run) -> None:
    """Write the clinic's reminders that are due. One patient's that fails is logged and due again at the next run."""
    assert run.clinic_id is not None  # noqa: S101  (scheduled for each clinic)
    clinic = Clinic.objects.get(pk=run.clinic_id)
    done = send_reminders(clinic=clinic, until=over_in(SECONDS))
    if done.written or done.not_sent or done.failed:
        words = _("%(written)d written, %(not_sent)d can't be sent, %(failed)d failed")
        run.progress(99, words % {"written": done.written, "not_sent": done.not_sent, "failed": done.failed})
