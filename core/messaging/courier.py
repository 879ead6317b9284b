"""Takes what has been posted to its channels: one thread in each web process, the job `messages.send`, or
`manage.py send_messages`."""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from core.jobs.services import begin_soon
from core.messaging.catalogue import Content, unpacked
from core.messaging.channels import Letter, send
from core.messaging.models import Channel, Kind, OutgoingMessage, PatientMessage, State
from core.messaging.progress import PATIENTS, keep_note, tell_clinic, unreachable, why_not, wipe
from core.messaging.wire import PACE, NotSent
from core.tenancy.context import platform_scope

logger = logging.getLogger(__name__)

SENDING = "messages.send"  # the job
EVERY = 30.0  # seconds between two looks when nobody calls; another process, or a failed try, may have left something
HEAD_START = 0.05  # seconds for whoever posted: what sending costs this process is no part of the time that an answer takes
ATTEMPTS = 5  # rounds through all channels
FIRST_PAUSE = timedelta(seconds=20)  # doubled at each round
ONE_TIME = {Kind.CODE, Kind.NEW_PASSWORD, Kind.INVITATION}  # secrets: wiped as soon as they are out; sent again rather than lost
EXPIRED = "expired"
TAKEN = ("state", "cause", "channel", "channels", "tried_at", "attempts")
WIPED = ("addresses", "subject", "text", "contents", "wipe_at")


class Courier:
    """Sleeps until something is posted in its process; looks from time to time for what others left."""

    def __init__(self) -> None:
        self._called, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, in a daemon thread. Never before a fork."""
        if not self.is_running:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="hms-courier", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Something has been posted."""
        self._called.set()

    def stop(self) -> None:
        """End the thread; what it has in hand it finishes."""
        self._stopping.set()
        self._called.set()
        if self._thread is not None:
            self._thread.join(15)
        self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._called.clear()
            try:
                send_waiting(until=self._stopping.is_set)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Messages wait: the database is in trouble (%s).", type(error).__name__)
            except Exception:
                logger.exception("The courier failed; it begins anew.")
            finally:
                connections.close_all()
            if self._called.wait(EVERY):
                self._stopping.wait(HEAD_START)


def call_sender() -> None:
    """Something has been posted and committed. A web process sends at once what its people wait for; what others have posted
    is a job's. Two statements at most, none in a web process."""
    if courier.is_running:
        courier.wake()
    else:
        begin_soon(SENDING)


def next_due() -> datetime | None:
    """When the next message is due, of those that are due later. One query."""
    with platform_scope(reason="messages"):
        later = OutgoingMessage.objects.filter(state=State.WAITING, due_at__gt=timezone.now())
        moment: datetime | None = later.order_by("due_at").values_list("due_at", flat=True).first()
    return moment


def send_waiting(until: Callable[[], bool] = lambda: False) -> int:
    """Send all that is due, oldest first, and wipe what has expired. Returns how many messages were tried.

    Several may do this at once: each takes other rows. Two statements to take a message and one to note what became of it; for a
    patient's up to three more to see that it is still wanted, and two to tell the clinic.
    """
    _wipe_expired()
    tried = 0
    while not until() and (message := _take()) is not None:
        if message.state == State.UNKNOWN:
            _deliver(message)
            tried += 1
    return tried


def _wipe_expired() -> None:
    with platform_scope(reason="messages"):
        expired = OutgoingMessage.objects.filter(wipe_at__lte=timezone.now())
        late = list(expired.filter(state=State.WAITING, kind__in=PATIENTS).values_list("pk", flat=True))
        expired.filter(state=State.WAITING).update(state=State.FAILED, cause=EXPIRED)
        expired.update(addresses="", subject="", text="", contents="", wipe_at=None)
        if late:
            PatientMessage.objects.filter(pk__in=late).update(state=State.FAILED, cause=EXPIRED)


def _take() -> OutgoingMessage | None:
    """The next message that is due, marked as handed over: nobody else takes it, and if this process dies its fate is unknown.

    One that must not go out any more comes back as failed.
    """
    with platform_scope(reason="messages"):
        due = OutgoingMessage.objects.filter(state=State.WAITING, due_at__lte=timezone.now())
        message = due.select_for_update(skip_locked=True).order_by("due_at").first()
        if message is None:
            return None
        if cause := why_not(message):
            message.state, message.cause = State.FAILED, cause
            wipe(message)
        else:
            message.state, message.tried_at, message.attempts = State.UNKNOWN, timezone.now(), message.attempts + 1
            message.channel = message.channels[0]
        message.save(update_fields=[*TAKEN, *(WIPED if message.state == State.FAILED else ())])
        tell_clinic(message)
        return message


def _deliver(message: OutgoingMessage) -> None:
    """Try channel after channel. What may have gone out is tried again only if a second one would do no harm."""
    addresses: dict[str, str] = json.loads(message.addresses)
    contents = unpacked(message.contents)
    outcome = _Outcome(message.channel, causes=_causes_of_others(message))
    for name in list(message.channels):
        channel = Channel(name)
        if message.channel != name:
            _mark(message, name, outcome)
        if _try(channel, _letter(message, addresses[name], contents.get(channel)), message, outcome):
            break
    if message.channel != outcome.channel:  # those behind it were left alone
        _mark(message, outcome.channel, outcome)
    message.state = outcome.state
    message.cause = outcome.cause
    if message.state == State.FAILED and message.channels:
        _wait(message, outcome)
    _note(message)


@dataclass
class _Outcome:
    """Of one round through a message's channels."""

    channel: str  # the last one tried
    state: str = State.FAILED
    causes: list[str] = field(default_factory=list)
    tried: bool = False
    wish: float = 0.0  # seconds for which one that was tried wants to be left alone
    left_alone: list[float] = field(default_factory=list)  # seconds until others may be tried

    @property
    def cause(self) -> str:
        return "; ".join(self.causes)[:200]


def _letter(message: OutgoingMessage, address: str, content: Content | None) -> Letter:
    if content is None:
        return Letter(message.pk, message.kind, address, message.subject, message.text)
    return Letter(message.pk, message.kind, address, **asdict(content))


def _try(channel: Channel, letter: Letter, message: OutgoingMessage, outcome: _Outcome) -> bool:
    """Hand it over. True when no other channel is to be tried."""
    try:
        send(channel, letter)
    except NotSent as error:
        outcome.causes.append(f"{channel}: {error.cause}")
        if not error.tried:
            outcome.left_alone.append(error.wait)
            return False
        outcome.tried, outcome.channel = True, channel.value
        outcome.wish = max(outcome.wish, error.wait)
        if error.unreachable or error.stopped:
            unreachable(message, channel, stopped=error.stopped)
            message.channels = [name for name in message.channels if name != channel]
        if error.certain or message.kind in ONE_TIME:
            return False
        outcome.state = State.UNKNOWN
    else:
        outcome.state, outcome.channel = State.SENT, channel.value
    return True


def _wait(message: OutgoingMessage, outcome: _Outcome) -> None:
    """Another round later: when a gateway may be asked again if that alone held it up, else after the next pause, five times."""
    if not outcome.tried:
        message.attempts -= 1
        message.state, message.due_at = State.WAITING, timezone.now() + timedelta(seconds=min(outcome.left_alone) + 1)
    elif message.attempts < ATTEMPTS:
        pause = max(FIRST_PAUSE * 2 ** (message.attempts - 1), timedelta(seconds=min(outcome.wish, PACE.rest)))
        message.state, message.due_at = State.WAITING, timezone.now() + pause


def _mark(message: OutgoingMessage, channel: str, outcome: _Outcome) -> None:
    """By which channel it is being handed over, before it is: a receipt may be faster than the gateway's answer."""
    message.channel, message.cause = channel, outcome.cause
    with platform_scope(reason="messages"):
        rows = OutgoingMessage.objects.filter(pk=message.pk, state=State.UNKNOWN)
        rows.update(channel=message.channel, cause=message.cause)


def _causes_of_others(message: OutgoingMessage) -> list[str]:
    """Why it goes no more by channels that it was to go by: those that were reported as failed, and that refuse the address."""
    return [part for part in message.cause.split("; ") if part and part.partition(":")[0] not in message.channels]


def _note(message: OutgoingMessage) -> None:
    """What became of it. A secret that is out, or will never be, is wiped at once, and so is what a patient will never get."""
    over = message.kind in ONE_TIME or (message.kind in PATIENTS and message.state == State.FAILED)
    if over and message.state != State.WAITING:
        wipe(message)
    if message.state in (State.FAILED, State.UNKNOWN):
        logger.warning("Message %s is %s (%s).", message.pk, message.state, message.cause)
    keep_note(message)


courier = Courier()
