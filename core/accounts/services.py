"""Writes about people: accounts, what they are in a clinic, and letting them try again."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.accounts import throttle
from core.accounts.actor import Actor
from core.accounts.administrators import tell_administrators, who_did
from core.accounts.auth_sessions import AuthSession, Ended, end_session, end_sessions
from core.accounts.models import Membership, User, normalise_email
from core.accounts.roles import CLINIC_ROLES, PLATFORM_ROLES, Role
from core.errors import Detail, NotAllowed, NotFound, ValidationFailed, invalid
from core.tenancy.context import current_clinic_id
from core.tenancy.models import Clinic
from core.validators import details_of


def create_user(*, actor: Actor, email: str, full_name: str, password: str, platform_role: str = "") -> User:
    """A new account. Raises ValidationFailed naming every wrong field; a weak password is one. Three queries."""
    actor.require("user", "create")
    refuse_highest(actor, platform_role)
    return _new_user(email=email, full_name=full_name, password=password, platform_role=_platform_role(platform_role))


def change_user(*, actor: Actor, user_id: UUID, changes: dict[str, Any]) -> User:
    """Change `full_name`, `email`, `platform_role` or `is_active`. Nobody takes their own access away by mistake."""
    actor.require("user", "change")
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound(_("There is no such user."))
    _refuse_other_system(user)
    refuse_highest(actor, user.platform_role, changes.get("platform_role", ""))
    if user.pk == actor.user_id and (changes.get("is_active") is False or "platform_role" in changes):
        message = _("You can't change your own role or close your own account.")
        raise ValidationFailed(
            message, [Detail("platform_role" if "platform_role" in changes else "is_active", "own_account", message)]
        )
    if "platform_role" in changes:
        changes = {**changes, "platform_role": _platform_role(changes["platform_role"])}
    for name, value in changes.items():
        setattr(user, name, value)
    _checked(user)
    user.save(update_fields=list(changes))
    if not user.is_active:
        end_sessions(user, why=Ended.CLOSED, by=actor.user_id)
    return user


def set_password(*, actor: Actor, user_id: UUID, password: str) -> User:
    """A new password for somebody; it ends all their sessions and tokens."""
    actor.require("user", "change")
    user = User.objects.get(pk=user_id)
    _refuse_other_system(user)
    refuse_highest(actor, user.platform_role)
    _strong(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    end_sessions(user, why=Ended.PASSWORD, by=actor.user_id)
    return user


def reset_own_password(*, user: User, password: str) -> None:
    """Somebody who has proved that their e-mail is theirs chooses anew: it ends their sessions and tokens, and lockout.

    Raises ValidationFailed.
    """
    _strong(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    throttle.note_success(user.email)


def change_own_password(*, user: User, password: str) -> None:
    """Somebody who has just given their present password chooses a new one. Raises ValidationFailed.

    Callers keep the browser that asks (`core.accounts.entry.stay`): every other session and token ends by the new password.
    """
    if user.check_password(password):
        raise invalid("password", "same", _("That is your present password. Choose another one."))
    _strong(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])


def unlock_sign_in(*, actor: Actor, users: Iterable[User]) -> int:
    """Let people try again at once after too many wrong passwords. Returns how many."""
    actor.require("user", "change")
    users = list(users)
    refuse_highest(actor, *(user.platform_role for user in users))
    for user in users:
        throttle.note_success(user.email)
    return len(users)


def lift_lockout(*, actor: Actor, key: str) -> None:
    """As `unlock_sign_in`, of the account or address whose digest this is. One statement, for a system administrator two."""
    actor.require("user", "change")
    if Role.SUPER_ADMIN not in actor.roles:
        highest = User.objects.filter(platform_role=Role.SUPER_ADMIN).only("email", "platform_role")
        refuse_highest(actor, *(user.platform_role for user in highest if throttle.key_of_account(user.email) == key))
    throttle.lift(key)


def end_session_of(*, actor: Actor, session: AuthSession) -> None:
    """End somebody's session, which comes with its user. Raises NotFound for one that is over. One statement."""
    actor.require("user", "change")
    refuse_highest(actor, session.user.platform_role)
    if not end_session(session.pk, user_id=session.user_id, why=Ended.BY_OPERATOR, by=actor.user_id):
        raise NotFound(_("This session is over already."))


def add_member(
    *, actor: Actor, email: str, full_name: str, password: str, roles: Sequence[str], location_ids: Sequence[UUID] = ()
) -> Membership:
    """An operator puts somebody into the scope's clinic. As `join_clinic`, for a person without an invitation.

    Clinics invite: who could make an account for an address that nobody has proved would keep a way into it, wherever its owner
    works later. Of a new administrator those that there are are told.
    """
    actor.require("membership", "create")
    actor.require("user", "create")
    if Role.CLINIC_ADMIN in roles:
        _tell_of_administrator(normalise_email(email), actor)
    return join_clinic(email=email, full_name=full_name, password=password, roles=roles, location_ids=location_ids)[1]


def join_clinic(
    *,
    email: str,
    roles: Sequence[str],
    user: User | None = None,
    full_name: str = "",
    password: str = "",
    location_ids: Sequence[UUID] = (),
    department_id: UUID | None = None,
) -> tuple[User, Membership]:
    """Somebody joins the scope's clinic. Who has an account keeps it, name and password untouched; else one is made.

    Who left comes back with these roles. Raises ValidationFailed naming every wrong field. Five queries. Callers decide whether
    the person may: an operator says so, or an invitation.
    """
    _clinic_roles(roles)
    user = user or User.objects.filter(email=normalise_email(email)).first()
    if user is None:
        user = _new_user(email=email, full_name=full_name, password=password)
    place = {"roles": list(roles), "location_ids": list(location_ids), "department_id": department_id}
    membership = Membership.objects.select_for_update().filter(user=user, clinic_id=current_clinic_id()).first()
    if membership is None:
        return user, Membership.objects.create(clinic_id=current_clinic_id(), user=user, **place)
    if membership.state == Membership.State.ACTIVE:
        message = _("This person is a member of the clinic already.")
        raise ValidationFailed(message, [Detail("email", "already_member", message)])
    for name, value in (place | {"state": Membership.State.ACTIVE}).items():
        setattr(membership, name, value)
    membership.save(update_fields=[*place, "state"])
    return user, membership


def change_member(*, actor: Actor, membership_id: UUID, changes: dict[str, Any]) -> Membership:
    """Change `roles`, `location_ids`, `department_id` or `state` of a member of the scope's clinic.

    If it makes an administrator, those that there are are told. Raises NotFound, ValidationFailed. Two statements; for a new
    administrator four more, and one for each that there is.
    """
    actor.require("membership", "change")
    membership = Membership.objects.select_for_update().filter(pk=membership_id, clinic_id=current_clinic_id()).first()
    if membership is None:
        raise NotFound(_("There is no such membership."))
    if "roles" in changes:
        _clinic_roles(changes["roles"])
    own = membership.user_id == actor.user_id
    if own and (
        changes.get("state") == Membership.State.LEFT or Role.CLINIC_ADMIN not in changes.get("roles", [Role.CLINIC_ADMIN])
    ):
        message = _("You can't take your own administration away.")
        raise ValidationFailed(message, [Detail("roles", "own_membership", message)])
    was_administrator = _administers(membership)
    for name, value in changes.items():
        setattr(membership, name, value)
    if _administers(membership) and not was_administrator:
        _tell_of_administrator(membership.user.email, actor)
    membership.save(update_fields=list(changes))
    return membership


def refuse_highest(actor: Actor, *platform_roles: str) -> None:
    """Only a super administrator makes one, or touches one's account. Raises NotAllowed."""
    if Role.SUPER_ADMIN in platform_roles and Role.SUPER_ADMIN not in actor.roles:
        message = _("Only a super administrator may do that to a super administrator.")
        raise NotAllowed(message, [Detail("platform_role", "not_allowed", message)])


# --- Inside ---------------------------------------------------------------------------------------------------------------
def _new_user(*, email: str, full_name: str, password: str, platform_role: str = "") -> User:
    user = User(email=normalise_email(email), full_name=full_name, platform_role=platform_role)
    _checked(user, password)
    user.set_password(password)
    user.save(force_insert=True)
    return user


def _administers(membership: Membership) -> bool:
    return Role.CLINIC_ADMIN in membership.roles and membership.state == Membership.State.ACTIVE


def _tell_of_administrator(email: str, actor: Actor) -> None:
    """To those that there are already. Three statements, and one for each; two for an operator's command."""
    clinic = Clinic.objects.get(pk=current_clinic_id())
    text = _(
        "Hello,\n\n%(by)s has made %(email)s an administrator of %(clinic)s in HMS, who can now do what you can.\n\n"
        "If nobody of you wanted that, take the role away at once (Settings, People) and change your passwords."
    ) % {"by": who_did(actor), "email": email, "clinic": clinic.name}
    tell_administrators(clinic.pk, subject=_("A new administrator for %(clinic)s") % {"clinic": clinic.name}, text=text)


def _checked(user: User, password: str | None = None) -> None:
    details: list[Detail] = []
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        details += details_of(error)
    if password is not None:
        try:
            _strong(password, user)
        except ValidationFailed as error:
            details += error.details
    if details:
        raise ValidationFailed(_("Some fields are wrong."), details)


def _strong(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationFailed(_("The password is too weak."), [Detail("password", "weak", " ".join(error.messages))]) from error


def _platform_role(role: str) -> str:
    if role and role not in PLATFORM_ROLES:
        message = _("This is not a role of the platform.")
        raise ValidationFailed(message, [Detail("platform_role", "invalid", message)])
    return str(role)


def _refuse_other_system(user: User) -> None:
    """An API key's account has no door but the key."""
    if user.is_other_system:
        raise NotAllowed(_("This account belongs to an API key. End the key instead, in the clinic’s settings."))


def _clinic_roles(roles: Sequence[str]) -> None:
    if not roles or any(role not in CLINIC_ROLES for role in roles):
        message = _("Choose at least one role of the clinic.")
        raise ValidationFailed(message, [Detail("roles", "invalid", message)])
