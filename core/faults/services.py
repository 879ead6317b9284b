"""Judging faults. Platform roles alone."""

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import NotFound
from core.faults.models import Fault


def judge_fault(*, actor: Actor, fault_id: UUID, state: Fault.State) -> None:
    """Resolved: it opens by itself when it comes again. Ignored: it is counted and stays closed. One statement.

    Raises NotAllowed, NotFound.
    """
    actor.require("fault", "change")
    judged = Fault.objects.filter(pk=fault_id).update(state=state, changed_at=timezone.now(), changed_by=actor.user_id)
    if not judged:
        raise NotFound(_("There is no such fault."))
