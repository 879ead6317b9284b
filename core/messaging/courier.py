"""Takes what has been posted to its channels: one thread in each web process, or `manage.py send_messages`."""

import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from core.messaging.channels import Letter, NotSent, send
from core.messaging.models import Channel, Kind, OutgoingMessage
from core.tenancy.context import platform_scope

logger = logging.getLogger(__name__)

EVERY = 30.0  # seconds between two looks when nobody calls; another process, or a failed try, may have left something
HEAD_START = 0.05  # seconds for whoever posted: what sending costs this process is no part of the time that an answer takes
ATTEMPTS = 5  # rounds through all channels
FIRST_PAUSE = timedelta(seconds=20)  # doubled at each round
ONE_TIME = {Kind.CODE, Kind.NEW_PASSWORD, Kind.INVITATION}  # secrets: wiped as soon as they are out; sent again rather than lost

State = OutgoingMessage.State


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


def send_waiting(until: Callable[[], bool] = lambda: False) -> int:
    """Send all that is due, oldest first, and wipe what has expired. Returns how many messages were tried.

    Several may do this at once: each takes other rows. Two statements to take a message and one to note what became of it.
    """
    _wipe_expired()
    tried = 0
    while not until() and (message := _take()) is not None:
        _deliver(message)
        tried += 1
    return tried


def _wipe_expired() -> None:
    with platform_scope(reason="messages"):
        expired = OutgoingMessage.objects.filter(wipe_at__lte=timezone.now())
        expired.filter(state=State.WAITING).update(state=State.FAILED, cause="expired")
        expired.update(addresses="", subject="", text="", wipe_at=None)


def _take() -> OutgoingMessage | None:
    """The next message that is due, marked as handed over: nobody else takes it, and if this process dies its fate is unknown."""
    with platform_scope(reason="messages"):
        due = OutgoingMessage.objects.filter(state=State.WAITING, due_at__lte=timezone.now())
        message = due.select_for_update(skip_locked=True).order_by("due_at").first()
        if message is not None:
            message.state, message.tried_at, message.attempts = State.UNKNOWN, timezone.now(), message.attempts + 1
            message.save(update_fields=["state", "tried_at", "attempts"])
        return message


def _deliver(message: OutgoingMessage) -> None:
    """Try channel after channel. What may have gone out is tried again only if a second one would do no harm."""
    addresses: dict[str, str] = json.loads(message.addresses)
    causes = []
    message.state = State.FAILED
    for name in message.channels:
        message.channel = name
        try:
            send(Channel(name), Letter(message.pk, message.kind, addresses[name], message.subject, message.text))
        except NotSent as error:
            causes.append(f"{name}: {error.cause}")
            if error.certain or message.kind in ONE_TIME:
                continue
            message.state = State.UNKNOWN
        else:
            message.state = State.SENT
        break
    message.cause = "; ".join(causes)[:200]
    if message.state == State.FAILED and message.attempts < ATTEMPTS:
        message.state, message.due_at = State.WAITING, timezone.now() + FIRST_PAUSE * 2 ** (message.attempts - 1)
    _note(message)


def _note(message: OutgoingMessage) -> None:
    """What became of it. A secret that is out, or will never be, is wiped at once."""
    if message.kind in ONE_TIME and message.state != State.WAITING:
        message.addresses = message.subject = message.text = ""
        message.wipe_at = None
    if message.state in (State.FAILED, State.UNKNOWN):
        logger.warning("Message %s is %s (%s).", message.pk, message.state, message.cause)
    with platform_scope(reason="messages"):
        message.save(
            update_fields=["state", "channel", "cause", "due_at", "addresses", "subject", "text", "wipe_at"],
        )


courier = Courier()
