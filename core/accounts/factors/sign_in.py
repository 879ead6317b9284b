"""The second step of signing in, the same for pages and API: what is tried, counted and locked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.factors import app, codes, passkeys, recovery
from core.accounts.factors.known import Kind, factors_by_id, factors_of, needs_password_too
from core.accounts.factors.models import SecondFactor
from core.accounts.models import User, normalise_email, user_by_id
from core.accounts.sign_in import one_try
from core.errors import Detail, NotAuthenticated
from core.messaging.models import Channel
from core.requests import HMSRequest
from core.responses import is_api
from core.tenancy.context import narrowed

# What codes are sent for. They are kept apart: whoever asks the API in somebody's name spoils no code that a page has sent to them.
SIGN_IN = "sign-in"  # by the API, to whoever has the e-mail that somebody names
SECOND_STEP = "second step"  # by the pages, to who has given the password
Count = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a second step was proved with, by RFC 8176."""

    method: str


def counted_as(user: User) -> str:
    """Under which name wrong second steps are counted: apart from passwords, so that a right password clears none of them."""
    return f"second step of {user.pk}"


def check_code(request: HMSRequest, *, user: User, code: str, count: Count) -> Proof:
    """A code of the person's app, one that was sent (to pages by a page, to the API by the API), or a recovery code.

    Raises SignInRefused, RateLimited.
    """
    purpose = SIGN_IN if is_api(request) else SECOND_STEP

    def proved() -> Proof | None:
        factors = {one.kind: one for one in factors_of(user)}
        return _by_app(factors.get(Kind.APP), code) or _by_sent(factors.get(Kind.CODE), user, purpose, code) or _by_recovery(
            factors.get(Kind.RECOVERY), code
        )  # fmt: skip

    return one_try(request, who=counted_as(user), count=count, check=proved, wrong=_("This code is wrong or has expired."))


def check_passkey(request: HMSRequest, *, user: User, state: dict[str, Any], answer: str, count: Count) -> Proof:
    """A passkey of the person's. Raises SignInRefused, RateLimited."""

    def proved() -> Proof | None:
        try:
            used = passkeys.proved(state, answer, [one for one in factors_of(user) if one.kind == Kind.PASSKEY])
        except passkeys.NotProved:
            return None
        with narrowed(user_id=user.pk):
            SecondFactor.objects.filter(pk=used.pk).update(used_at=timezone.now())
        return Proof("hwk")

    return one_try(request, who=counted_as(user), count=count, check=proved, wrong=_("This passkey does not open the account."))


def send_sign_in_code(*, user: User | None, identifier: str, wanted: Channel | None = None) -> None:
    """Send a code to sign in to the API with, by the wanted channel or the next that the person has; for nobody the same work.

    Whoever has other factors alone gets none: it would be good for nothing.
    """
    to, channels = _ways(user, wanted)
    person_id = user.pk if user and to else None
    codes.send_code(purpose=SIGN_IN, name=normalise_email(identifier), person_id=person_id, to=to, channels=channels)


def send_second_step(*, user: User) -> None:
    """Send a code for the page's second step, by the channels that the person has chosen. Who has other factors alone gets none."""
    to, channels = _ways(user, None)
    person_id = user.pk if to else None
    codes.send_code(purpose=SECOND_STEP, name=user.email, person_id=person_id, to=to, channels=channels)


def check_code_alone(request: HMSRequest, *, identifier: str, code: str, count: Count) -> User:
    """Sign in with a code that was sent, for whom that is enough. Raises SignInRefused, RateLimited, NotAuthenticated."""
    name = normalise_email(identifier)

    def proved() -> User | None:
        person_id = codes.is_right(purpose=SIGN_IN, name=name, code=code)
        user = user_by_id(person_id) if person_id else None
        return user if user is not None and normalise_email(user.email) == name else None

    user = one_try(request, who=f"code of {name}", count=count, check=proved, wrong=_("This code is wrong or has expired."))
    if needs_password_too(user):
        message = _("This account signs in with its password and a code: send both to auth/token.")
        raise NotAuthenticated(message, [Detail("password", "password_required", message)])
    if not codes.spend(purpose=SIGN_IN, name=name, code=code):
        raise NotAuthenticated(_("This code is wrong or has expired."))
    return user


def _ways(user: User | None, wanted: Channel | None) -> tuple[dict[Channel, str], list[Channel]]:
    """The person's addresses and channels, the wanted one first. E-mail is the last resort."""
    factors = {one.kind: one for one in factors_by_id(user.pk if user else uuid4())}
    if user is None:
        return {}, list(Channel)
    others = set(factors) - {Kind.RECOVERY, Kind.CODE}
    if Kind.CODE not in factors and others:
        return {}, list(Channel)
    secret: dict[str, Any] = factors[Kind.CODE].secret if Kind.CODE in factors else {"channels": [], "phone": ""}
    to = {Channel.EMAIL: user.email}
    if secret["phone"]:
        to |= {Channel.SMS: secret["phone"], Channel.WHATSAPP: secret["phone"]}
    first = [wanted] if wanted else []
    return to, list(dict.fromkeys([*first, *(Channel(one) for one in secret["channels"]), Channel.EMAIL]))


def _by_app(factor: SecondFactor | None, code: str) -> Proof | None:
    if factor is None:
        return None
    counter = app.counter_of(factor.secret["key"], codes.plain(code), after=factor.last_counter)
    if counter is None:
        return None
    with narrowed(user_id=factor.user_id):
        once = SecondFactor.objects.filter(pk=factor.pk, last_counter__lt=counter)
        return Proof("otp") if once.update(last_counter=counter, used_at=timezone.now()) else None


def _by_sent(factor: SecondFactor | None, user: User, purpose: str, code: str) -> Proof | None:
    if factor is None or codes.is_right(purpose=purpose, name=user.email, code=code) != user.pk:
        return None
    return Proof("sms" if factor.secret["phone"] else "otp") if codes.spend(purpose=purpose, name=user.email, code=code) else None


def _by_recovery(factor: SecondFactor | None, code: str) -> Proof | None:
    if factor is None or not recovery.looks_like_one(code):
        return None
    with narrowed(user_id=factor.user_id):
        locked = SecondFactor.objects.select_for_update().filter(pk=factor.pk).first()
        left = locked.secret["digests"] if locked else []
        if locked is None or (used := recovery.digest(code)) not in left:
            return None
        locked.secret = {"digests": [one for one in left if one != used]}
        locked.used_at = timezone.now()
        locked.save(update_fields=["sealed", "used_at"])
    return Proof("otp")
