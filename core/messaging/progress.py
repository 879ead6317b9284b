"""How a message moves on: what its sender notes, and what its gateway reports. Never back, whatever comes twice or too late."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from core.messaging.models import Channel, Kind, OutgoingMessage, PatientMessage, State, SuppressionReason
from core.messaging.suppression import suppress, suppressed
from core.tenancy.context import platform_scope

ORDER = {one: number for number, one in enumerate(State)}  # State is declared in this order
PATIENTS = frozenset({Kind.REMINDER})  # the kinds that go to patients: a clinic keeps them, in PatientMessage
ARRIVED = (State.DELIVERED, State.READ)
Check = Callable[[PatientMessage], str]
Refused = Callable[[UUID, UUID, list[str]], None]

_listeners: list[Refused] = []
_checks: dict[Kind, Check] = {}


def ask_before_sending(kind: Kind, check: Check) -> None:
    """Called once, as HMS starts. Just before such a message is handed over `check` says, as hms_platform and in its transaction,
    why it must not go out any more (a short code), or nothing."""
    _checks[kind] = check


def when_refused(listener: Refused) -> None:
    """Called once, as HMS starts. `listener` is told of a patient's message that every gateway has refused to the last: clinic,
    message and channels; as hms_platform, in the transaction that notes it."""
    _listeners.append(listener)


def why_not(message: OutgoingMessage) -> str:
    """Why a message must not go out any more, as a code; "" when it may. Takes out of it channels that are suppressed by now.

    Inside a platform scope. No query for what goes to nobody's patient, else one, another for the suppressed, and the check's.
    """
    if message.kind not in PATIENTS:
        return ""
    row = PatientMessage.objects.defer("words").filter(pk=message.pk).first()
    if row is None:
        return "its clinic has forgotten it"
    if (check := _checks.get(Kind(message.kind))) and (cause := check(row)):
        return cause
    addresses = {Channel(name): address for name, address in json.loads(message.addresses).items()}
    closed = suppressed(row.clinic_id, addresses)
    message.channels = [name for name in message.channels if name not in closed]
    return "" if message.channels else "suppressed"


def keep_note(message: OutgoingMessage) -> bool:
    """What became of a message that was handed over. False when its gateway has told more by now. At most two statements,
    and for a patient's that every gateway refuses what its listeners ask."""
    values = {
        name: getattr(message, name)
        for name in ("state", "channels", "cause", "due_at", "attempts", "addresses", "subject", "text", "contents", "wipe_at")
    }
    with platform_scope(reason="messages"):
        row = OutgoingMessage.objects.filter(pk=message.pk, state=State.UNKNOWN, channel=message.channel)
        if not row.update(**values):
            return False
        tell_clinic(message)
        if message.kind in PATIENTS and message.state == State.FAILED and message.channels:
            _refused(message)
    return True


def tell_clinic(message: OutgoingMessage, *, reported: bool = False) -> None:
    """The same in what the clinic keeps. Inside a platform scope; one statement, none for what goes to nobody's patient."""
    if message.kind not in PATIENTS:
        return
    values: dict[str, Any] = {"state": message.state, "channel": message.channel, "cause": message.cause, "due_at": message.due_at}
    if message.state in (State.SENT, *ARRIVED):
        values["sent_at"] = Coalesce("sent_at", Value(message.tried_at))
    if reported:
        values["reported_at"] = timezone.now()
    PatientMessage.objects.filter(pk=message.pk).update(**values)


def reported(
    message_id: UUID, channel: Channel, state: State, *, code: str = "", unreachable: bool = False, stopped: bool = False
) -> bool:
    """A gateway tells what became of a message. False when that is known already, is older than what is known, or is about a
    channel that was given up since. A failure is followed by the next channel while the message is of use.

    Two to four statements.
    """
    with platform_scope(reason="messages"):
        message = OutgoingMessage.objects.select_for_update().filter(pk=message_id, channel=channel).first()
        if message is None or ORDER[state] <= ORDER[State(message.state)]:
            return False
        if unreachable or stopped:
            _suppress(message, channel, SuppressionReason.STOP if stopped else SuppressionReason.BOUNCE)
        message.state, message.reported_at = state, timezone.now()
        if state == State.FAILED:
            message.cause = f"{message.cause}{'; ' if message.cause else ''}{channel}: reported {code or 'failed'}"[:200]
            _go_on(message, channel)
        if message.state in (*ARRIVED, State.FAILED):
            wipe(message)
        message.save(
            update_fields=[
                "state", "channel", "channels", "cause", "due_at", "attempts", "reported_at",
                "addresses", "subject", "text", "contents", "wipe_at",
            ]
        )  # fmt: skip
        tell_clinic(message, reported=True)
    return True


def wipe(message: OutgoingMessage) -> None:
    """Of no use any more: nothing of it stays here."""
    message.addresses = message.subject = message.text = message.contents = ""
    message.wipe_at = None


def unreachable(message: OutgoingMessage, channel: Channel, *, stopped: bool) -> None:
    """The channel refuses the address itself. Up to two statements, none for what goes to nobody's patient."""
    if message.kind in PATIENTS:
        with platform_scope(reason="messages"):
            _suppress(message, channel, SuppressionReason.STOP if stopped else SuppressionReason.BOUNCE)


def _refused(message: OutgoingMessage) -> None:
    """No address was wrong: the gateways are at fault. One query and what the listeners ask."""
    for clinic_id in PatientMessage.objects.filter(pk=message.pk).values_list("clinic_id", flat=True):
        for listener in _listeners:
            listener(clinic_id, message.pk, list(message.channels))


def _suppress(message: OutgoingMessage, channel: Channel, reason: SuppressionReason) -> None:
    addresses = json.loads(message.addresses or "{}")
    if address := addresses.get(channel):
        clinics = PatientMessage.objects.filter(pk=message.pk).values_list("clinic_id", flat=True)
        suppress(clinics, channel, address, reason)


def _go_on(message: OutgoingMessage, channel: Channel) -> None:
    """By the channels behind the one that has failed, if there are any and the message still says something."""
    names = list(message.channels)
    left = names[names.index(channel) + 1 :] if channel in names else []
    expired = message.wipe_at is not None and message.wipe_at <= timezone.now()
    if left and message.addresses and not expired:
        message.state, message.channels, message.channel = State.WAITING, left, ""
        message.due_at, message.attempts = timezone.now(), 0
