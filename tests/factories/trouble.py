"""Everything that can happen to a message between HMS and a patient, drawn from a seed, and a comparison with what HMS believes."""

import hashlib
import hmac
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.test import Client

from appointments.models import Appointment
from core.messaging.models import PatientMessage
from patients.models import Patient
from tests.architecture.catalogue import connected
from tests.factories.letters import Fate, Letterbox, Try, cloud_api, gateway, smtp_server
from tests.factories.reminded import Reminding
from tests.factories.visits import make_patient

SECRET, APP_SECRET = "between-us", "an-app-secret"
ARRIVED = ("sent", "delivered", "read")
PREFERENCES = [
    list(order)
    for count in (1, 2, 3)
    for chosen in itertools.combinations(("sms", "email", "whatsapp"), count)
    for order in itertools.permutations(chosen)
]
WISH = {"Retry-After": "1"}
# By how much of the whole: what becomes of a message that has arrived.
GATEWAYS = [
    (0.60, Fate()),
    (0.08, Fate(429, WISH, keeps=False)),
    (0.04, Fate(429, keeps=False)),
    (0.03, Fate(500)),
    (0.03, Fate(502, keeps=False)),
    (0.04, Fate(503, WISH, keeps=False)),
    (0.04, Fate(cut=True)),
    (0.04, Fate(cut=True, keeps=False)),
    (0.04, Fate(late=0.2)),
    (0.06, Fate(400, keeps=False)),
]
MAIL = [
    (0.68, Fate()),
    (0.10, Fate(451, keeps=False)),
    (0.06, Fate(554, keeps=False)),
    (0.05, Fate(cut=True)),
    (0.05, Fate(cut=True, keeps=False)),
    (0.06, Fate(late=0.2)),
]
HANDSETS = [(0.4, ("sent", "delivered", "read")), (0.3, ("sent", "delivered")), (0.15, ("sent", "failed")), (0.15, ())]


def drawn[Kind](table: Sequence[tuple[float, Kind]], *of: object) -> Kind:
    """The same for the same words, whichever thread asks first."""
    chance = random.Random(" ".join(map(str, of)))
    return chance.choices([kind for _, kind in table], [weight for weight, _ in table])[0]


@dataclass
class Town:
    """Three ways to reach patients, each in trouble of its own; whoever sends is told where they are."""

    boxes: Mapping[str, Letterbox]
    seed: int
    too_late: float  # seconds of an answer that HMS does not wait for
    silent: bool = False  # nobody reports anything
    kills: int = 0
    _told: set[str] = field(default_factory=set)

    def begin(self) -> None:
        for name, box in self.boxes.items():
            box.fate = self._fates(name)

    def calm(self) -> None:
        """From now on everything is taken at once."""
        for box in self.boxes.values():
            box.fate = None

    def _fates(self, name: str) -> Callable[[str, int], Fate]:
        table = [
            *(MAIL if name == "email" else GATEWAYS),
            (0.02, Fate(late=self.too_late)),
            (0.01, Fate(late=self.too_late, keeps=False)),
        ]
        return lambda address, before: drawn(table, self.seed, name, address, before)

    def tries(self) -> list[tuple[str, Try]]:
        return [(name, one) for name, box in self.boxes.items() for one in list(box.tries)]

    def uncertain(self) -> int:
        """How many were handed over of which HMS can't know whether they were taken."""
        fates = [one.fate for _, one in self.tries()]
        return sum(one.cut or one.late >= self.too_late or (one.status >= 500 and one.status != 554) for one in fates)

    # --- The network ------------------------------------------------------------------------------------------------------
    def storm(self, stop: threading.Event) -> None:
        """One server after the other is away for a moment."""
        chance = random.Random(self.seed)
        while not stop.wait(chance.uniform(0.05, 0.3)):
            box = self.boxes[chance.choice(sorted(self.boxes))]
            box.kill()
            self.kills += 1
            stop.wait(chance.uniform(0.1, 0.4))
            box.revive()

    # --- The telephone company --------------------------------------------------------------------------------------------
    def handset(self, name: str, one: Try) -> tuple[str, ...]:
        """What is reported of a message that was kept."""
        return () if self.silent else drawn(HANDSETS, self.seed, "handset", name, one.id)

    def reports(self, stop: threading.Event, post: Callable[[str, bytes, dict[str, str]], int] | None = None) -> None:
        """Tells HMS what became of messages: now and then twice, and in any order. Ends when everything is told."""
        chance, waiting = random.Random(self.seed), list[tuple[str, str, str]]()
        post = post or posted
        try:
            while True:
                done = stop.is_set()
                waiting += self._news()
                chance.shuffle(waiting)
                left = 0 if done else 8
                while len(waiting) > left:
                    name, message_id, state = waiting.pop()
                    assert said(name, message_id, state, post) == 204
                if done and not (waiting := self._news()):
                    return
                stop.wait(0.02)
        finally:
            connections.close_all()

    def _news(self) -> list[tuple[str, str, str]]:
        found = []
        for name, one in self.tries():
            mark = f"{name} {one.id}"
            if one.fate.keeps and mark not in self._told:
                self._told.add(mark)
                for state in self.handset(name, one):
                    found += [(name, one.id, state)] * drawn([(0.7, 1), (0.3, 2)], self.seed, "twice", one.id, state)
        return found

    # --- The truth --------------------------------------------------------------------------------------------------------
    def got(self, message: PatientMessage) -> list[str]:
        """By which channels it has really reached somebody."""
        tries = [(name, one) for name, one in self.tries() if one.id == str(message.pk) and one.fate.keeps]
        return [name for name, one in tries if "failed" not in self.handset(name, one)]

    def lies(self, messages: Sequence[PatientMessage]) -> list[str]:
        """What the ledger says that is not so; each row is compared with what the servers have got."""
        by_id: dict[str, list[tuple[str, Try]]] = {}
        for name, one in self.tries():
            by_id.setdefault(one.id, []).append((name, one))
        strangers = by_id.keys() - {str(one.pk) for one in messages}
        return [f"{one} is in no ledger" for one in strangers] + [
            f"{one.pk} {one.state} by {one.channel or '-'} of {one.channels} ({one.cause}): {why}; {by_id.get(str(one.pk), [])}"
            for one in messages
            for why in self._lies_of(one, by_id.get(str(one.pk), []))
        ]

    def _lies_of(self, message: PatientMessage, tries: Sequence[tuple[str, Try]]) -> Iterator[str]:
        got = self.got(message)
        kept = [name for name, one in tries if one.fate.keeps]
        if len(got) > 1 or len(kept) > len(set(kept)):
            yield f"it came {len(got)} times"
        if message.state in ARRIVED and got != [message.channel]:
            yield "it says that it has arrived"
        if message.state == "failed" and got:
            yield "it says that it has not arrived"
        if message.state == "waiting":
            yield "it has no end"
        states = {state for name, one in tries if name == message.channel and one.fate.keeps for state in self.handset(name, one)}
        if (
            got
            and message.state in ARRIVED
            and message.state != ("read" if "read" in states else "delivered" if states else "sent")
        ):
            yield f"{states} were reported"
        if message.state in (*ARRIVED, "unknown"):
            yield from self._worse_channel(message, tries)

    def _worse_channel(self, message: PatientMessage, tries: Sequence[tuple[str, Try]]) -> Iterator[str]:
        """The channels before the one it took were tried in vain, or left alone; the cause says which."""
        wanted = message.channels[: message.channels.index(message.channel)]
        for name in wanted:
            cause = next((part for part in message.cause.split("; ") if part.startswith(f"{name}: ")), "")
            mine = [one for channel, one in tries if channel == name]
            if not cause:
                yield f"{name} was better"
            elif any(one.fate.keeps and "failed" not in self.handset(name, one) for one in mine):
                yield f"{name} had taken it"
            elif cause.startswith(f"{name}: HTTP ") and not any(
                cause.startswith(f"{name}: HTTP {one.fate.status}") for one in mine
            ):
                yield f"{name} never said so"


def said(name: str, message_id: str, state: str, post: Callable[[str, bytes, dict[str, str]], int]) -> int:
    """A report as docs/messages.md has it."""
    if name == "whatsapp":
        status = {"id": "wamid.1", "status": state, "biz_opaque_callback_data": message_id}
        body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": {"statuses": [status]}}]}]}).encode()
        digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
        return post(name, body, {"X-Hub-Signature-256": f"sha256={digest}"})
    body, at = json.dumps({"id": message_id, "state": state}).encode(), int(time.time())
    digest = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return post(name, body, {"X-HMS-Signature": f"t={at},v1={digest}"})


def posted(name: str, body: bytes, headers: dict[str, str]) -> int:
    return Client().post(f"/webhooks/messages/{name}/", body, content_type="application/json", headers=headers).status_code


@contextmanager
def town(seed: int, *, too_late: float) -> Iterator[Town]:
    with ExitStack() as stack:
        boxes = {
            "sms": stack.enter_context(gateway()),
            "whatsapp": stack.enter_context(cloud_api()),
            "email": stack.enter_context(smtp_server()),
        }
        yield Town(boxes, seed, too_late)


def variables_of(place: Town) -> dict[str, str]:
    """The environment of a process that sends through it."""
    return {
        "HMS_SMS_GATEWAY_URL": f"http://127.0.0.1:{place.boxes['sms'].port}/send",
        "HMS_SMS_GATEWAY_SECRET": SECRET,
        "HMS_EMAIL_RECEIPTS_SECRET": SECRET,
        "WHATSAPP_PHONE_NUMBER_ID": "10550", "WHATSAPP_ACCESS_TOKEN": "t", "WHATSAPP_APP_SECRET": APP_SECRET,
        "WHATSAPP_API_URL": f"http://127.0.0.1:{place.boxes['whatsapp'].port}/v23.0",
        "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(place.boxes["email"].port), "EMAIL_USE_TLS": "false",
    }  # fmt: skip


def settle_in(settings: Any, place: Town, *, mail_timeout: float) -> None:
    """The same for this process."""
    settings.HMS_MESSAGE_GATEWAYS = {"sms": f"http://127.0.0.1:{place.boxes['sms'].port}/send", "whatsapp": ""}
    settings.HMS_MESSAGE_GATEWAY_SECRETS = {"sms": SECRET, "email": SECRET, "whatsapp": ""}
    url = f"http://127.0.0.1:{place.boxes['whatsapp'].port}/v23.0"
    settings.HMS_WHATSAPP_CLOUD = {"number": "10550", "token": "t", "secret": APP_SECRET, "verify": "w", "url": url}
    options = {"host": "127.0.0.1", "port": place.boxes["email"].port, "timeout": mail_timeout}
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


def people(clinic: Reminding, count: int, start: datetime) -> list[tuple[Patient, Appointment]]:
    """So many patients who want every order of channels, each with a visit, a second after the one before."""

    def made() -> list[tuple[Patient, Appointment]]:
        place, found = clinic.place, []
        for number in range(count):
            patient = make_patient(
                phone=f"+447700{900000 + number}", email=f"p{number}@example.org",
                reminder_channels=PREFERENCES[number % len(PREFERENCES)],
            )  # fmt: skip
            at = start + timedelta(seconds=number)
            visit = Appointment.objects.create(
                patient=patient, service_id=place.services[0].pk, provider_id=place.providers[0].pk,
                location_id=place.locations[0].pk, start=at, end=at + timedelta(minutes=20), time_zone=place.clinic.time_zone,
                local_day=at.date(), status="confirmed",
            )  # fmt: skip
            found.append((patient, visit))
        return found

    there: list[tuple[Patient, Appointment]] = clinic.inside(made)
    return there


def waiting(*, due: bool = True) -> int:
    """How many messages wait; with `due` the pauses of all of them are over."""
    with connected("postgres") as connection:
        if due:
            connection.execute("UPDATE core_outgoingmessage SET due_at = now() WHERE state = 'waiting'")
            connection.commit()
        row = connection.execute("SELECT count(*) FROM core_outgoingmessage WHERE state = 'waiting'").fetchone()
        assert row
        return int(row[0])


def states(messages: Sequence[PatientMessage]) -> Counter[str]:
    return Counter(one.state for one in messages)
