"""The one truth about who is signed in: a row for each browser and each program, which every request asks (through the cache)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.accounts.models import User
from core.tenancy.announcements import announces
from core.tenancy.context import person_scope
from core.tenancy.ids import new_id

BROWSER_LIFE = timedelta(hours=12)  # after signing in, however much it is used
PROGRAM_LIFE = timedelta(days=30)  # after its tokens were last refreshed
NOTED_EVERY = timedelta(minutes=5)  # how exact `last_seen` is
KEPT_FOR = timedelta(days=30)  # after it could no longer be used: for whoever asks what happened
LIVE_AT_MOST = 100  # of one kind and person; a program that signs in for each request ends its oldest
MARK_LENGTH = 16


class Kind(models.TextChoices):
    BROWSER = "browser", _("Browser")
    PROGRAM = "program", _("Program")


class Ended(models.TextChoices):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out", _("Signed out")
    BY_PERSON = "by_person", _("Ended by the person")
    BY_OPERATOR = "by_operator", _("Ended by an operator")
    REPLACED = "replaced", _("Signed in again")
    PASSWORD = "password", _("New password")
    CLOSED = "closed", _("Account closed")
    REUSED = "reused", _("A refresh token was used twice")
    TOO_MANY = "too_many", _("Too many at once")


class AuthSessionQuerySet(models.QuerySet["AuthSession"]):
    def live(self) -> "AuthSessionQuerySet":
        """Those that can be used now, as far as the table alone can tell: a new password ends them too."""
        return self.filter(ended_at=None, expires__gt=timezone.now())

    def end(self, why: Ended, *, by: UUID | None = None) -> int:
        """End those that have not ended; how many there were. One statement."""
        return self.filter(ended_at=None).update(ended_at=timezone.now(), ended_reason=why, ended_by=by)


@announces(auth_session=["id"])
class AuthSession(models.Model):
    """Somebody signed in with one browser or program. Where from and with what are as they were at sign-in.

    `password_mark` follows from the password: with another one the session is over, whoever changed it and however. The
    digests are of a program's present and previous refresh token.
    """

    table_kind = "personal"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="+", db_index=False, verbose_name=_("user"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    began = models.DateTimeField(_("began"))
    last_seen = models.DateTimeField(_("last used"))
    expires = models.DateTimeField(_("expires"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    ended_reason = models.CharField(_("why it ended"), max_length=16, choices=Ended, blank=True)
    ended_by = models.UUIDField(_("ended by"), null=True)
    user_agent = models.CharField(_("with"), max_length=300, blank=True)
    address = models.CharField(_("address"), max_length=64, blank=True)
    methods = ArrayField(models.CharField(max_length=16), verbose_name=_("proved by"), help_text="RFC 8176: pwd, otp, hwk, sms.")
    password_mark = models.CharField(max_length=MARK_LENGTH)
    refresh_digest = models.CharField(max_length=64, blank=True)
    previous_digest = models.CharField(max_length=64, blank=True)
    rotated_at = models.DateTimeField(_("refreshed"), null=True)

    objects = AuthSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering: ClassVar = ["-last_seen"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-last_seen"], name="core_authsession_person"),
            models.Index(fields=["expires"], name="core_authsession_age"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where somebody signed in from, and with what: as the request said."""

    address: str = ""
    user_agent: str = ""


UNKNOWN = Origin()


def origin_of(request: HttpRequest) -> Origin:
    agent = str(request.META.get("HTTP_USER_AGENT", "")).replace("\x00", "")[:300]
    return Origin(str(request.META.get("REMOTE_ADDR") or "")[:64], agent)


def mark_of(user: User) -> str:
    """What of the password a session remembers: another one has another mark, and neither tells the password."""
    return user.get_session_auth_hash()[:MARK_LENGTH]


def begin_session(*, user: User, kind: Kind, methods: Sequence[str], origin: Origin = UNKNOWN) -> AuthSession:
    """A session begins. Ends the person's oldest of that kind above LIVE_AT_MOST. Two statements, or three."""
    now = timezone.now()
    life = BROWSER_LIFE if kind == Kind.BROWSER else PROGRAM_LIFE
    with person_scope(user.pk, reason="sign-in"):
        session = AuthSession.objects.create(
            user=user,
            kind=kind,
            began=now,
            last_seen=now,
            expires=now + life,
            methods=list(methods),
            password_mark=mark_of(user),
            address=origin.address,
            user_agent=origin.user_agent,
        )
        mine = AuthSession.objects.filter(user=user, kind=kind).live().order_by("-last_seen")
        if beyond := list(mine.values_list("pk", flat=True)[LIVE_AT_MOST : 2 * LIVE_AT_MOST]):
            AuthSession.objects.filter(pk__in=beyond).end(Ended.TOO_MANY)
    return session


def end_session(session_id: UUID, *, user_id: UUID, why: Ended, by: UUID | None = None) -> bool:
    """It is refused from its next request on, in every process. False if the person has no such live session. One statement."""
    with person_scope(user_id, reason="end a session"):
        return bool(AuthSession.objects.filter(pk=session_id, user_id=user_id).live().end(why, by=by))


def end_sessions(user: User, *, why: Ended, except_: UUID | None = None, by: UUID | None = None) -> int:
    """End all of a person's sessions, but `except_`; how many. One statement, or two.

    The one that stays takes the mark of the password as it is now.
    """
    with person_scope(user.pk, reason="end sessions"):
        own = AuthSession.objects.filter(user=user).live()
        if except_ is not None:
            own.filter(pk=except_).update(password_mark=mark_of(user))
            own = own.exclude(pk=except_)
        return own.end(why, by=by)


def sessions_of(user: User) -> AuthSessionQuerySet:
    """The person's live sessions, the last used first: 100 of a kind at most. To be read in a scope of that person."""
    return AuthSession.objects.filter(user=user, password_mark=mark_of(user)).live().order_by("-last_seen")


def note_seen(session_id: UUID, user_id: UUID) -> None:
    """It was used just now. At most one statement that writes in five minutes, however many ask at once."""
    now = timezone.now()
    with person_scope(user_id, reason="session used"):
        stale = AuthSession.objects.filter(pk=session_id, ended_at=None, last_seen__lt=now - NOTED_EVERY)
        stale.update(last_seen=now)
