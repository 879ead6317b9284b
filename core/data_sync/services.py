"""Setting up where a clinic's changes are sent."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.administrators import tell_administrators, who_did
from core.data_sync.models import NOTHING_UNDER_WAY, DataSync
from core.errors import Conflict
from core.jobs.services import enqueue
from core.outbound.signing import new_secret
from core.tenancy.context import current_clinic_id
from core.validators import Problems
from core.validators.problems import details_of

SENDING = "data_sync.send"  # the job


def set_up_data_sync(*, actor: Actor, data: Mapping[str, Any]) -> tuple[DataSync, str]:
    """The receiver of the scope's clinic, and the secret, which is told now and never again. `data`: url, is_active. The
    administrators are told.

    Raises ValidationFailed, Conflict when there is one. Four statements, and one per administrator.
    """
    actor.require("data_sync", "create")
    secret = new_secret()
    sync = DataSync(secret=secret)
    _set(sync, data)
    try:
        with transaction.atomic():
            sync.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(_("The clinic has a data sync already.")) from error
    _tell_of_new(sync, actor)
    return sync, secret


def change_data_sync(*, actor: Actor, data_sync_id: UUID, changes: Mapping[str, Any]) -> DataSync:
    """Change url or is_active. Another address is told everything, and the administrators of it.

    Raises NotFound, ValidationFailed. Two statements; for another address three more, and one per administrator.
    """
    actor.require("data_sync", "change")
    sync = _locked(data_sync_id)
    before = sync.url
    _set(sync, changes)
    if sync.url != before:
        _forget(sync)
        _tell_of_address(sync, actor, before)
    sync.save()
    return sync


def renew_data_sync_secret(*, actor: Actor, data_sync_id: UUID) -> tuple[DataSync, str]:
    """A new secret, told now and never again; it signs from the next page on. Raises NotFound. Two statements."""
    actor.require("data_sync", "change")
    sync, secret = _locked(data_sync_id), new_secret()
    sync.secret = secret
    sync.save(update_fields=["secret"])
    return sync, secret


def send_now(*, actor: Actor, data_sync_id: UUID, everything: bool = False) -> UUID:
    """Send what has changed as soon as a worker is free, or everything; returns the job's id.

    Raises NotFound, Conflict while it is off. Three statements, two more for everything.
    """
    actor.require("data_sync", "send")
    sync = _locked(data_sync_id)
    if not sync.is_active:
        raise Conflict(_("The data sync is switched off."))
    if everything:
        _forget(sync)
        sync.save(update_fields=["after_position", *NOTHING_UNDER_WAY])
    return enqueue(SENDING, clinic=current_clinic_id(), dedupe_key="by-hand")


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _locked(data_sync_id: UUID) -> DataSync:
    found: DataSync = DataSync.objects.select_for_update().found(pk=data_sync_id)
    return found


def _set(sync: DataSync, given: Mapping[str, Any]) -> None:
    for name in ("url", "is_active"):
        if name in given:
            setattr(sync, name, given[name])
    problems = Problems()
    try:
        sync.full_clean(exclude=["clinic"], validate_constraints=False)
    except ValidationError as error:
        problems.details += details_of(error)
    problems.raise_if_any()


def _tell_of_new(sync: DataSync, actor: Actor) -> None:
    clinic = sync.own_clinic()
    text = _(
        "Hello,\n\n%(by)s has set up a data sync for %(clinic)s in HMS. Every night your patients and visits are sent to:\n\n"
        "%(url)s\n\n"
        "If nobody of you wanted that, switch it off at once (Administration, Data sync) and change your passwords."
    ) % {"by": who_did(actor), "clinic": clinic.name, "url": sync.url}
    tell_administrators(clinic.pk, subject=_("A data sync for %(clinic)s") % {"clinic": clinic.name}, text=text)


def _tell_of_address(sync: DataSync, actor: Actor, before: str) -> None:
    clinic = sync.own_clinic()
    text = _(
        "Hello,\n\n%(by)s has given the data sync of %(clinic)s in HMS another address, to which everything is sent.\n\n"
        "Before: %(before)s\nNow: %(now)s\n\n"
        "If nobody of you wanted that, switch it off at once (Administration, Data sync) and change your passwords."
    ) % {"by": who_did(actor), "clinic": clinic.name, "before": before, "now": sync.url}
    subject = _("The data sync of %(clinic)s has another address") % {"clinic": clinic.name}
    tell_administrators(clinic.pk, subject=subject, text=text)


def _forget(sync: DataSync) -> None:
    """What the receiver knows, and the export under way."""
    sync.after_position = None
    for name, value in NOTHING_UNDER_WAY.items():
        setattr(sync, name, value)
