"""Letting people in: the clinic invites by e-mail, and whoever holds the link joins."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from clinics.errors import InvitationGone
from clinics.models import Invitation
from clinics.notifications import ask_to_join, tell_of_invited_administrator
from clinics.services.members import checked_place_of_work
from clinics.validators import invitation_rules
from core.accounts.actor import Actor
from core.accounts.administrators import who_did
from core.accounts.models import Membership, User, normalise_email
from core.accounts.roles import Role
from core.accounts.services import join_clinic
from core.errors import Detail, NotAllowed, ValidationFailed
from core.messaging.channels import configured
from core.messaging.models import Channel
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.validators import Problems, clean_fields

VALID_FOR = timedelta(days=7)
SALT = "clinics.invitation"


def invite(
    *,
    actor: Actor,
    email: str,
    roles: Sequence[str],
    full_name: str = "",
    location_ids: Sequence[Any] = (),
    department_id: Any = None,
) -> Invitation:
    """Ask somebody by e-mail to work here. An open invitation of the same address is replaced: its link ends.

    Of a new administrator those that there are are told. Raises ValidationFailed naming every wrong field, also for who works here
    already. Up to eight queries; for an administrator two more, and one for each that there is.
    """
    actor.require("membership", "create")
    problems = Problems()
    cleaned = clean_fields({"email": email, "full_name": full_name}, invitation_rules(""), problems)
    place = checked_place_of_work(roles=roles, location_ids=location_ids, department_id=department_id, problems=problems)
    address = normalise_email(cleaned["email"] or "")
    if Channel.EMAIL not in configured():
        problems.add("email", "no_mail", _("This installation can’t send e-mail yet. Its operator sets EMAIL_URL."))
    elif address and _works_here(address):
        problems.add("email", "already_member", _("This person works in the clinic already."))
    problems.raise_if_any()
    Invitation.objects.unanswered().filter(email=address).update(withdrawn_at=timezone.now())
    secret = secrets.token_urlsafe(32)
    invitation = Invitation(
        email=address,
        full_name=cleaned["full_name"],
        invited_by_id=_inviter(actor),
        secret_digest=_digest(secret),
        expires_at=timezone.now() + VALID_FOR,
        **place,
    )
    _save(invitation)
    ask_to_join(invitation, by=actor.name, address=join_address(secret))
    if Role.CLINIC_ADMIN in invitation.roles:
        tell_of_invited_administrator(invitation, by=who_did(actor))
    return invitation


def withdraw_invitation(*, actor: Actor, invitation_id: UUID) -> Invitation:
    """The link ends. Raises NotFound, and InvitationGone for one that was accepted. Two queries."""
    actor.require("membership", "create")
    invitation: Invitation = Invitation.objects.select_for_update().found(pk=invitation_id)
    if invitation.accepted_at is not None:
        raise InvitationGone(_("This invitation was accepted already."))
    if invitation.withdrawn_at is None:
        invitation.withdrawn_at = timezone.now()
        invitation.save(update_fields=["withdrawn_at"])
    return invitation


def accept_invitation(*, secret: str, user: User | None = None, full_name: str = "", password: str = "") -> tuple[User, Membership]:
    """Whoever holds the link joins, within the scope of its clinic: as `user`, whose address it must be, or with a new account.

    Raises InvitationGone, ValidationFailed naming every wrong field, NotAllowed for somebody else's account. Up to eight queries.
    """
    invitation = Invitation.objects.select_for_update().filter(secret_digest=_digest(secret)).first()
    if invitation is None or not invitation.is_open(timezone.now()):
        raise InvitationGone
    if user is not None and user.email != invitation.email:
        raise NotAllowed(_("This invitation is for another e-mail address."))
    user, membership = join_clinic(
        email=invitation.email,
        user=user,
        full_name=full_name,
        password=password,
        roles=invitation.roles,
        location_ids=invitation.location_ids,
        department_id=invitation.department_id,
    )
    invitation.accepted_at, invitation.accepted_by = timezone.now(), user
    invitation.save(update_fields=["accepted_at", "accepted_by"])
    return user, membership


def open_invitation(secret: str) -> Invitation:
    """The scope's clinic's invitation with this secret. Raises InvitationGone. One query."""
    found: Invitation | None = Invitation.objects.valid_at(timezone.now()).filter(secret_digest=_digest(secret)).first()
    if found is None:
        raise InvitationGone
    return found


def join_address(secret: str) -> str:
    """The link in the e-mail: it names the clinic, signed, so that it can be looked up behind row-level security."""
    token = signing.dumps([current_clinic_id().hex, secret], salt=SALT)
    return str(settings.HMS_BASE_URL) + reverse("clinics:join", args=[token])


def opened_link(token: str) -> tuple[Clinic, str]:
    """The clinic and the secret that a link names. Raises InvitationGone for a link that HMS did not make. One query."""
    try:
        clinic_id, secret = signing.loads(token, salt=SALT)
        clinic = Clinic.objects.get(pk=UUID(hex=clinic_id), state=Clinic.State.ACTIVE)
    except (signing.BadSignature, ValueError, TypeError, Clinic.DoesNotExist) as error:
        raise InvitationGone from error
    return clinic, secret


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _works_here(email: str) -> bool:
    here = Membership.objects.filter(clinic_id=current_clinic_id(), state=Membership.State.ACTIVE)
    return here.filter(user__email=email).exists()


def _inviter(actor: Actor) -> UUID:
    if actor.user_id is None:
        raise NotAllowed(_("Only a person can invite."))
    return actor.user_id


def _save(invitation: Invitation) -> None:
    try:
        with transaction.atomic():
            invitation.save(force_insert=True)
    except IntegrityError as error:
        message = _("Somebody else is inviting this person right now. Look at the list.")
        raise ValidationFailed(message, [Detail("email", "unique", message)]) from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
