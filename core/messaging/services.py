"""Posting a message: a row in the caller's transaction, sent after it has committed, by whichever channel gets through."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from uuid import UUID

from django.db import router
from django.utils import timezone

from core.messaging import catalogue
from core.messaging.channels import configured
from core.messaging.courier import call_sender
from core.messaging.digests import digest_of
from core.messaging.models import Channel, Kind, OutgoingMessage, PatientMessage, State
from core.messaging.quiet import after_quiet
from core.messaging.suppression import suppressed
from core.tenancy.context import current_clinic_id
from core.tenancy.ids import new_id
from core.tenancy.units import once_after_commit

__all__ = ["NO_CHANNEL", "About", "Recipient", "digest_of", "post", "send"]

NO_CHANNEL = "no channel"
SUPPRESSED = "suppressed"
QUIET = "quiet hours"
OF_USE = timedelta(days=3)  # for a message that says nothing else


@dataclass(frozen=True, slots=True)
class Recipient:
    """A patient of the scope's clinic: where they are reached, by which channels in their order, in which language, and when not.

    `refusal` is why nothing may be sent to them (a short code), as the clinic then finds it in its list.
    """

    patient_id: UUID
    addresses: Mapping[Channel, str]
    channels: Sequence[Channel]
    language: str
    zone: tzinfo
    quiet_from: time | None = None
    quiet_until: time | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """The visit that a message is about, and when it is to begin as far as the message knows."""

    id: UUID
    at: datetime


def post(
    *,
    kind: Kind,
    to: Mapping[Channel, str],
    channels: Sequence[Channel],
    subject: str,
    text: str,
    expires_at: datetime | None = None,
) -> UUID:
    """Write the message, to be tried by `channels` in their order. One statement; returns its id.

    `to` has the address for each channel; a channel without one, or that this installation doesn't have, is passed over. When
    none is left the row says that it failed, and holds nothing: whoever must not learn whether there is such a person posts to
    nobody, with the same work. After `expires_at` it is not sent any more and its content is wiped.
    """
    usable = _usable(to, channels)
    first = to[usable[0]] if usable else ""
    message = OutgoingMessage(kind=kind, to_digest=digest_of(first), channels=usable)
    if usable:
        _address(message, to)
        message.subject, message.text, message.wipe_at = subject, text, expires_at
    else:
        message.state, message.cause = State.FAILED, NO_CHANNEL
    _write(message)
    return message.pk


def send(
    template: str,
    to: Recipient,
    context: Mapping[str, str],
    *,
    channels: Sequence[Channel] = (),
    about: About | None = None,
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> PatientMessage:
    """Write a message to a patient, by the channels they want or by `channels`, after their quiet hours; returns what is kept.

    What can't be sent at all (no address, suppressed, refused, quiet until it is of no use) is written as failed, with its cause.
    Raises TemplateWrong for a context that does not fit. Two or three statements.
    """
    now = now or timezone.now()
    expires_at = expires_at or now + OF_USE
    chosen = catalogue.template_of(template)
    language = catalogue.language_for(template, to.language)
    usable = _usable(to.addresses, channels or to.channels)
    closed = suppressed(current_clinic_id(), {one: to.addresses[one] for one in usable})
    open_to = [one for one in usable if one not in closed]
    due_at = after_quiet(now, to.quiet_from, to.quiet_until, to.zone)
    cause = to.refusal or (SUPPRESSED if usable else NO_CHANNEL) * (not open_to) or QUIET * (due_at >= expires_at)
    shown = (open_to or list(channels or to.channels) or [Channel.EMAIL])[0]
    kept = PatientMessage(
        id=new_id(),
        patient_id=to.patient_id,
        kind=chosen.kind,
        template=template,
        language=language,
        about_id=about.id if about else None,
        about_at=about.at if about else None,
        channels=open_to,
        state=State.FAILED if cause else State.WAITING,
        cause=cause,
        words=catalogue.render(template, shown, language, catalogue.hidden(template, context)).text,
        written_at=now,
        due_at=due_at,
    )
    if not cause:
        message = OutgoingMessage(id=kept.pk, kind=chosen.kind, channels=open_to, due_at=due_at, wipe_at=expires_at)
        _address(message, to.addresses)
        message.contents = catalogue.packed({one: catalogue.render(template, one, language, context) for one in open_to})
        _write(message)
    kept.save(force_insert=True)
    return kept


def _usable(to: Mapping[Channel, str], channels: Sequence[Channel]) -> list[Channel]:
    there = configured()
    return [channel for channel in channels if to.get(channel) and channel in there]


def _address(message: OutgoingMessage, to: Mapping[Channel, str]) -> None:
    used = {channel: to[Channel(channel)] for channel in message.channels}
    message.addresses = json.dumps(used)
    message.digests = [digest_of(address) for address in dict.fromkeys(used.values())]
    message.to_digest = message.digests[0]


def _write(message: OutgoingMessage) -> None:
    message.save(force_insert=True)
    once_after_commit(call_sender, using=router.db_for_write(OutgoingMessage))
