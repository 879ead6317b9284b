"""A receiver is killed while events come, and a sender too: everything arrives, in order, and what came twice is known."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from core.accounts.roles import Role
from core.events.announcing import announce
from core.tenancy.context import clinic_scope
from core.tenancy.ids import new_id
from core.webhooks import sending
from core.webhooks.models import WebhookDelivery
from core.webhooks.sending import deliver_due
from patients import events
from tests.core.webhooks.conftest import Integrator, answered, committed
from tests.core.webhooks.receiver import is_theirs
from tests.factories.api_client import committed_client
from tests.factories.endpoints import Told
from tests.factories.patience import eventually
from tests.factories.server import ROOT
from tests.factories.threads import apart

LONG = 120.0  # seconds: a process begins, hundreds of requests go out
PAGE = (ROOT / "docs" / "webhooks.md").read_text()


def sender(*more: str) -> "subprocess.Popen[bytes]":
    """`manage.py send_webhooks` in a process of its own."""
    own = {"HMS_DATABASE_NAME": connections["default"].settings_dict["NAME"], "HMS_WEBHOOK_ALLOW": "127.0.0.1"}
    return subprocess.Popen(
        [sys.executable, "manage.py", "send_webhooks", *more], cwd=ROOT, env=os.environ | own, stdout=subprocess.DEVNULL
    )


def announce_all(integrator: Integrator, records: list[UUID], rounds: int) -> None:
    """Each record changes so often, each time in a transaction of its own."""
    for _ in range(rounds):
        for record in records:
            with clinic_scope(integrator.place.clinic, reason="test"):
                announce(events.CHANGED, record, patient=record)


def leases_are_over(integrator: Integrator) -> None:
    """As if the minute were over that a dead sender's deliveries are its own."""
    committed(integrator.place, lambda: WebhookDelivery.objects.filter(state="sending").update(due_at=timezone.now()))


@pytest.mark.parametrize("count,rounds", [(20, 6), pytest.param(50, 10, marks=pytest.mark.slow)])
def test_a_receiver_and_a_sender_are_killed_and_everything_arrives_in_order(
    count: int, rounds: int, integrator: Integrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "FIRST_PAUSE", timedelta(milliseconds=20))
    monkeypatch.setattr(sending, "LONGEST_PAUSE", timedelta(milliseconds=200))
    monkeypatch.setattr(sending, "FIRST_REST", timedelta(milliseconds=50))
    monkeypatch.setattr(sending, "LONGEST_REST", timedelta(milliseconds=200))
    receiver, end = integrator.receiver, integrator.end
    records, total = [new_id() for _ in range(count)], count * rounds
    receive, hold = end.answer, threading.Event()

    # A sender has some in hand that the receiver has taken, and dies before it knows.
    end.answer = lambda taken: Told(receive(taken).status, hold=not hold.is_set())
    apart(lambda: announce_all(integrator, records, 1))
    dying = sender()
    try:
        end.wait_for(1, LONG)
    finally:
        dying.send_signal(signal.SIGKILL)
        dying.wait(10)
    hold.set()
    end.let_go.set()
    known = {one["id"] for one in receiver.events}
    assert known and {one.state for one in integrator.deliveries()} <= {"sending", "waiting"}
    leases_are_over(integrator)

    # Two send, the rest is announced meanwhile, and the receiver goes away and comes back.
    over = threading.Event()

    def sends() -> None:
        while not over.is_set():
            deliver_due()

    def happens() -> None:
        try:
            announce_all(integrator, records, rounds // 2)
            eventually(lambda: len(receiver.events) > count, LONG)
            end.kill()
            announce_all(integrator, records, rounds - 1 - rounds // 2)
            eventually(lambda: integrator.row().failures >= sending.LIMIT, LONG)
            end.revive()
            eventually(lambda: len(receiver.events) == total, LONG)
        finally:
            over.set()

    apart(sends, sends, happens)
    apart(deliver_due)
    by_record: dict[str, list[int]] = {}
    for one in receiver.events:
        by_record.setdefault(one["data"]["patient"], []).append(one["sequence"])
    assert by_record.keys() == {str(one) for one in records}
    assert all(len(numbers) == rounds and numbers == sorted(numbers) for numbers in by_record.values())
    cut_off = sum(len(taken.body) < int(taken.headers["Content-Length"]) for taken in end.taken)  # as it was killed
    assert receiver.refused == cut_off
    # What came twice is what the dead sender had in hand, or was answered into a cut connection: the same delivery, the same event.
    names = Counter(taken.headers["HMS-Delivery"] for taken in end.taken)
    assert len(names) == total and receiver.twice <= len(known) + 2 * sending.AT_ONCE_FOR_ONE
    assert {one.state for one in integrator.deliveries()} == {"succeeded"}
    assert integrator.row().failures == 0


@pytest.mark.parametrize(
    "answer",
    [Told(headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b"), Told(202, body=b"x" * 100_000)],
    ids=["packed", "large"],
)
def test_no_more_than_the_status_is_read(answer: Told, integrator: Integrator) -> None:
    def takes(taken: Any) -> Told:
        answered(integrator.receiver, taken)
        return answer

    integrator.end.answer = takes
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.receiver.events)
    integrator.all_due()
    apart(deliver_due)
    (delivery,) = integrator.deliveries()
    assert (delivery.state, delivery.status, len(integrator.end.taken)) == ("succeeded", answer.status, 1)


def test_a_ping_and_a_replay_that_the_api_was_asked_for_arrive(integrator: Integrator) -> None:
    boss = committed_client(integrator.place.users[Role.CLINIC_ADMIN], integrator.place.clinic)
    since = timezone.now().isoformat()
    integrator.announce(integrator.place.patients[0], 2)
    integrator.send_until(lambda: len(integrator.receiver.events) == 2)
    path = f"webhooks/{integrator.endpoint.pk}"
    asked = apart(lambda: [boss.post(f"{path}/ping").status_code, boss.post(f"{path}/replay", {"since": since}).json()["data"]])[0]
    assert asked == [202, {"deliveries": 2}]
    integrator.send_until(lambda: integrator.receiver.twice == 2 and len(integrator.receiver.events) == 3)
    assert integrator.receiver.events[2]["type"] == "webhook.ping"
    first, second, *again = [
        one.headers["HMS-Delivery"] for one in integrator.end.taken if one.headers["HMS-Event"] != "webhook.ping"
    ]
    assert len({first, second, *again}) == 4, "a replay is another delivery"


# --- The page ---------------------------------------------------------------------------------------------------------------
def code_of_the_page() -> Callable[..., bool]:
    """What the page shows in Python, run."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(compile(block, str(Path("docs/webhooks.md")), "exec"), names)  # noqa: S102  (our own page)
    found: Callable[..., bool] = names["is_ours"]
    return found


def test_the_page_s_own_example_holds_for_its_code_and_for_the_receiver_s() -> None:
    secret, body = re.search(r"with the secret `(\S+)` and the body `(\S+)`", PAGE).groups()  # type: ignore[union-attr]
    header = re.findall(r"^HMS-Signature: (t=\S+)$", PAGE, re.M)[-1]
    is_ours, at = code_of_the_page(), int(header[2:12])
    assert is_theirs(secret, {"HMS-Signature": header}, body.encode(), at)
    assert is_ours(secret, header, body.encode(), at)
    for wrong in (
        (secret + "x", header, body.encode(), at),
        (secret, header, body.encode() + b" ", at),
        (secret, header, body.encode(), at + 301),
        (secret, header.replace("t=1", "t=2"), body.encode(), at),
        (secret, f"{header},t={at}", body.encode(), at),
        (secret, "", body.encode(), at),
        (secret, "t=x,v1=é", body.encode(), at),
    ):
        assert not is_ours(*wrong)


def test_the_page_s_code_knows_what_hms_sends(integrator: Integrator) -> None:
    integrator.announce(integrator.place.patients[0])
    integrator.send_until(lambda: integrator.end.taken)
    (taken,) = integrator.end.taken
    is_ours = code_of_the_page()
    assert is_ours(integrator.receiver.secret, taken.headers["HMS-Signature"], taken.body)
    assert not is_ours(integrator.receiver.secret, taken.headers["HMS-Signature"], taken.body[:-1])
