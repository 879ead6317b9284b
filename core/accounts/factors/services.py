"""Writes about a person's own factors. Each change is told to them by e-mail, so that a stranger's doing is noticed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.factors import app, passkeys, recovery
from core.accounts.factors.known import Kind, factors_of
from core.accounts.factors.models import SecondFactor
from core.accounts.models import User
from core.accounts.services import refuse_highest
from core.errors import NotFound, invalid
from core.messaging.models import Channel
from core.messaging.models import Kind as MessageKind
from core.messaging.services import post
from core.tenancy.context import narrowed, platform_scope

MOST_PASSKEYS = 10


def add_app(*, user: User, key: str, code: str) -> SecondFactor:
    """The authenticator app that has `key`, proved by a code of it. Replaces an older one. Raises ValidationFailed."""
    counter = app.counter_of(key, code)
    if counter is None:
        raise invalid("code", "wrong_code", _("That is not the app's present code. Codes change every 30 seconds."))
    return _keep(user, Kind.APP, {"key": key}, last_counter=counter)


def add_passkey(*, user: User, state: dict[str, Any], answer: str, name: str) -> SecondFactor:
    """A passkey, as the browser made it. Raises ValidationFailed."""
    try:
        secret = passkeys.made(state, answer)
    except passkeys.NotProved as error:
        raise invalid("answer", "not_proved", _("The passkey could not be read. Try again.")) from error
    if len([one for one in factors_of(user) if one.kind == Kind.PASSKEY]) >= MOST_PASSKEYS:
        raise invalid("name", "too_many", _("That is one too many. Remove a passkey first."))
    return _keep(user, Kind.PASSKEY, secret, name=name.strip()[:60] or _("Passkey"))


def add_code(*, user: User, channels: list[Channel], phone: str) -> SecondFactor:
    """Codes by these channels; the phone has been proved by a code. Replaces what was chosen before."""
    return _keep(user, Kind.CODE, {"channels": [str(one) for one in channels], "phone": phone})


def new_recovery_codes(*, user: User) -> list[str]:
    """Ten new codes, to be shown once; the older ones are good for nothing any more."""
    codes = recovery.new_codes()
    _keep(user, Kind.RECOVERY, {"digests": [recovery.digest(code) for code in codes]})
    return codes


def remove_factor(*, user: User, factor_id: UUID) -> None:
    """Raises NotFound. With the last factor the recovery codes go too."""
    with narrowed(user_id=user.pk):
        factor = SecondFactor.objects.filter(user_id=user.pk, pk=factor_id).first()
        if factor is None:
            raise NotFound(_("There is no such factor."))
        factor.delete()
        own = SecondFactor.objects.filter(user_id=user.pk)
        if not own.exclude(kind=Kind.RECOVERY).exists():
            own.delete()
    tell_change(user, _("%(factor)s was removed.") % {"factor": factor.get_kind_display()})


def remove_all_factors(*, actor: Actor, user: User) -> None:
    """For somebody who has lost phone, passkeys and recovery codes: they sign in with the password alone and start anew."""
    actor.require("user", "change")
    refuse_highest(actor, user.platform_role)
    with platform_scope(reason="second factors removed", user_id=actor.user_id):
        SecondFactor.objects.filter(user_id=user.pk).delete()
        tell_change(user, _("All second factors were removed by an administrator."))


def tell_change(user: User, what: str) -> None:
    """Post the notice. One statement."""
    text = _(
        "Hello,\n\nabout your HMS account: %(what)s\n\n"
        "If that was you, there is nothing to do. If not, change your password at once and tell your administrator."
    ) % {"what": what}
    to: Mapping[Channel, str] = {Channel.EMAIL: user.email}
    subject = _("Your HMS account was changed")
    post(kind=MessageKind.NOTICE, to=to, channels=[Channel.EMAIL], subject=subject, text=text)


def _keep(user: User, kind: SecondFactor.Kind, secret: dict[str, Any], **fields: Any) -> SecondFactor:
    """Write it; of every kind but passkeys there is one. Two or three statements."""
    factor = SecondFactor(user_id=user.pk, kind=kind, created_at=timezone.now(), **fields)
    factor.secret = secret
    with narrowed(user_id=user.pk):
        if kind != Kind.PASSKEY:
            SecondFactor.objects.filter(user_id=user.pk, kind=kind).delete()
        factor.save(force_insert=True)
    tell_change(user, _("%(factor)s was set up.") % {"factor": factor.get_kind_display()})
    return factor
