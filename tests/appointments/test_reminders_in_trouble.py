"""Reminders while everything on the way fails now and then: each patient gets each one once, and the ledger knows it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from core.messaging import courier, smtp, wire
from core.messaging.courier import send_waiting
from core.outbound.breakers import Pace
from tests.factories.channels import forget_troubles
from tests.factories.letters import Fate
from tests.factories.patience import eventually
from tests.factories.reminded import Reminding, reminding
from tests.factories.server import ROOT
from tests.factories.threads import apart
from tests.factories.trouble import Town, people, settle_in, states, town, variables_of, waiting
from tests.factories.world import World

SENDERS = 3
PATIENTS = 45  # each order of channels three times
PATIENCE = 1.0  # seconds


@pytest.fixture
def clinic(world: World) -> Iterator[Reminding]:
    with reminding(world.riverside) as found:
        yield found
    forget_troubles()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and patience of a test."""
    pace = Pace(first=0.05, longest=0.2, rest=0.3)
    for module in (wire, smtp, courier):
        monkeypatch.setattr(module, "PACE", pace)
    monkeypatch.setattr(wire, "SECONDS", PATIENCE)
    monkeypatch.setattr(courier, "FIRST_PAUSE", timedelta(milliseconds=20))


def all_sent(there: Town) -> None:
    """Several send at once, servers are away now and then, receipts come as they like, until nothing waits."""
    stop = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(there.storm, stop), pool.submit(there.reports, stop)]
        try:
            until = timezone.now() + timedelta(seconds=180)
            while waiting():
                assert timezone.now() < until, "messages wait for ever"
                apart(*[send_waiting] * SENDERS)
        finally:
            stop.set()
        for one in others:
            one.result(30)
    while waiting():  # a receipt said that it had failed after all
        apart(*[send_waiting] * SENDERS)
        apart(lambda: there.reports(stop))


@pytest.mark.parametrize("seed", [1, 2])
def test_each_reminder_arrives_once_by_the_best_channel_that_worked(
    seed: int, clinic: Reminding, hasty: None, settings: Any
) -> None:
    with town(seed, too_late=2 * PATIENCE) as there:
        settle_in(settings, there, mail_timeout=PATIENCE)
        start = (timezone.now() + timedelta(hours=2, minutes=30)).replace(microsecond=0)
        patients = people(clinic, PATIENTS, start)
        there.begin()
        for hours in (48, 2):
            last = start + timedelta(seconds=PATIENTS)
            assert clinic.remind(last - timedelta(hours=hours)).written == PATIENTS
            all_sent(there)
        told = clinic.told()
        lies = there.lies(told)
        assert not lies, "\n".join(lies)
        assert sorted((one.patient_id, one.about_at) for one in told) == sorted(
            (who.pk, visit.start) for who, visit in patients * 2
        )
        ends = states(told)
        assert ends["unknown"] <= there.uncertain() + there.kills * SENDERS, ends
        arrived = sum(ends[one] for one in ("sent", "delivered", "read"))
        assert arrived > 0.5 * len(told) and {one.channel for one in told} == {"sms", "email", "whatsapp"}, ends


def test_a_sender_that_is_killed_while_it_hands_over_leaves_it_unknown_and_nobody_sends_it_again(
    clinic: Reminding, settings: Any
) -> None:
    with town(0, too_late=30) as there:
        settle_in(settings, there, mail_timeout=5)
        there.silent, texts = True, there.boxes["sms"]
        stuck = "+447700900000"
        texts.fate = lambda address, _: Fate(late=30) if address == stuck else Fate()
        start = timezone.now() + timedelta(hours=30)
        for number in range(3):
            clinic.visit(start + timedelta(minutes=number), clinic.patient(phone=f"+447700{900000 + number}"))
        assert clinic.remind(timezone.now()).written == 3
        environment = os.environ | variables_of(there) | {"HMS_DATABASE_NAME": connections["default"].settings_dict["NAME"]}
        sender = subprocess.Popen([sys.executable, "manage.py", "send_messages"], cwd=ROOT, env=environment)
        try:
            eventually(lambda: stuck in {one.address for one in texts.tries})
        finally:
            sender.send_signal(signal.SIGKILL)
            sender.wait(10)
        first = next(one for one in clinic.told() if str(one.pk) == texts.tries[-1].id)
        assert (first.state, first.channel, texts.tries[-1].address) == ("unknown", "sms", stuck)
        apart(send_waiting, send_waiting)
        assert states(clinic.told()) == {"unknown": 1, "sent": 2}
        assert sorted(one.address for one in texts.tries) == [f"+447700{900000 + number}" for number in range(3)]
        assert there.lies(clinic.told()) == []
