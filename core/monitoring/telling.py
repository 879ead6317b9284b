"""Telling people of alerts: by e-mail, by webhook, by the bell. In a thread of its own; only the bell needs the database."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from core.accounts.models import User
from core.accounts.roles import Role
from core.errors import DomainError
from core.messaging.smtp import send_mail
from core.messaging.wire import NotSent
from core.monitoring.standing import Event, News
from core.monitoring.words import body, letter, title
from core.notifications.writing import notify_in
from core.outbound.addresses import ANYTHING
from core.outbound.errors import OutboundTrouble
from core.outbound.registry import registry
from core.outbound.signing import HEADER, signature
from core.outbound.systems import System
from core.tenancy.context import Scope, platform_scope, unit_of_work
from core.tenancy.models import Clinic

logger = logging.getLogger(__name__)

OPERATORS = (Role.SUPER_ADMIN, Role.SYSTEM_ADMIN)
FIRST_PAUSE, LONGEST_PAUSE, PATIENCE = 5.0, 300.0, 3600.0  # seconds between two tries of one delivery, and until it is given up
MOST_WAITING = 500  # deliveries; the oldest are dropped, and every alert stands in the log too
KIND = "alert"  # of the bell


class Recipients:
    """The addresses of operators: HMS_OPERATORS, or else of the accounts, as they were when they could last be read."""

    def __init__(self) -> None:
        self._known: list[str] = []

    def refresh(self) -> None:
        """One query, none where HMS_OPERATORS is set."""
        if not settings.HMS_OPERATORS:
            with unit_of_work(Scope(reason="alerts")):
                rows = User.objects.filter(platform_role__in=OPERATORS, is_active=True)
                self._known = list(rows.order_by("email").values_list("email", flat=True))

    def addresses(self) -> list[str]:
        return settings.HMS_OPERATORS or self._known


@dataclass(slots=True)
class Delivery:
    """One thing to one recipient. `send` raises while it can't be done."""

    words: str
    send: Callable[[], None]
    until: float
    next: float = 0.0
    pause: float = FIRST_PAUSE


class Teller:
    """What is to be told, tried again for an hour. Safe for threads."""

    def __init__(self, recipients: Recipients, clock: Callable[[], float] = time.monotonic) -> None:
        self.recipients = recipients
        self._clock = clock
        self._waiting: deque[Delivery] = deque(maxlen=MOST_WAITING)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Never before a fork."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="hms-alerts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """What has not been told yet is tried once more."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)

    def tell(self, news: Iterable[News]) -> None:
        """Everybody, as soon as possible; the log at once. No query."""
        until = self._clock() + PATIENCE
        for one in news:
            logger.warning("%s: %s", title(one), one.note or one.rule.metric)
            self._waiting.extend(Delivery(words, send, until) for words, send in self._ways(one))
        self._wake.set()

    def _ways(self, news: News) -> Iterable[tuple[str, Callable[[], None]]]:
        if settings.MAILERS and not news.only_bell:
            for address in self.recipients.addresses():
                yield "e-mail", _by_mail(news, address)
        if settings.HMS_ALERT_WEBHOOK_URL and not news.only_bell:
            yield "webhook", _by_webhook(news)
        if news.event is Event.RAISED and news.id is not None:
            yield "bell", _by_bell(news, news.id)

    def try_all(self) -> None:
        """Try what is due; what fails waits twice as long each time."""
        for _turn in range(len(self._waiting)):
            one = self._waiting.popleft()
            if one.next > self._clock() or not self._tried(one):
                self._waiting.append(one)

    def _tried(self, one: Delivery) -> bool:
        """Is it over, one way or the other?"""
        try:
            one.send()
        except (NotSent, OutboundTrouble, DatabaseError, InterfaceError, DomainError) as error:
            cause = getattr(error, "cause", "") or type(error).__name__
            if self._clock() >= one.until:
                logger.error("Nobody could be told of an alert by %s (%s).", one.words, cause)
                return True
            one.next, one.pause = self._clock() + one.pause, min(LONGEST_PAUSE, 2 * one.pause)
            return False
        except Exception:  # a boundary: the others are told
            logger.exception("Nobody could be told of an alert by %s.", one.words)
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(FIRST_PAUSE)
            self._wake.clear()
            self.try_all()
            connections.close_all()


def _by_mail(news: News, address: str) -> Callable[[], None]:
    subject, text = letter(news)
    return lambda: send_mail(message_id=str(uuid4()), to=address, subject=subject, text=text, html="")


def _by_webhook(news: News) -> Callable[[], None]:
    said, key = body(news), str(uuid4())

    def send() -> None:
        system = System("alerts", "other", (settings.HMS_ALERT_WEBHOOK_URL,), attempts=1, total_seconds=10, guard=ANYTHING)
        headers = {"Content-Type": "application/json"}
        if settings.HMS_ALERT_WEBHOOK_SECRET:
            headers[HEADER] = signature([settings.HMS_ALERT_WEBHOOK_SECRET], int(time.time()), said)
        answer = registry.client_of(system).request("POST", content=said, headers=headers, idempotency_key=key)
        if not answer.ok:
            raise OutboundTrouble("alerts", f"HTTP {answer.status}", certain=True, status=answer.status)

    return send


def _by_bell(news: News, alert: UUID) -> Callable[[], None]:
    return lambda: ring(news, alert)


def ring(news: News, alert: UUID) -> None:
    """Tell the platform's administrators, in whichever clinic they work; who has not read the last one of this rule there is not
    told again. Three statements."""
    details = {"rule": news.rule.name, "severity": news.rule.severity}
    with platform_scope(reason="alerts"):
        people = User.objects.filter(platform_role__in=OPERATORS, is_active=True).values_list("pk", flat=True)
        clinics = Clinic.objects.filter(state=Clinic.State.ACTIVE).values_list("pk", flat=True)
        notify_in(clinics, list(people), KIND, about=alert, details=details, once=news.rule.name)
