"""Real workers send what was posted, announced and due: nobody runs a command, nothing waits for the next minute."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.webhooks.receiver import Receiver
from tests.factories.endpoints import Endpoint, Told, endpoints
from tests.factories.job_crew import Crew, crew
from tests.factories.letters import Letterbox, gateway, smtp_server

pytestmark = pytest.mark.thorough

MINUTE = 60


@pytest.fixture(scope="module")
def mail() -> Iterator[Letterbox]:
    with smtp_server() as box:
        yield box


@pytest.fixture(scope="module")
def texts() -> Iterator[Letterbox]:
    with gateway() as box:
        yield box


@pytest.fixture(scope="module")
def at_work(worker_id: str, django_db_setup: None, mail: Letterbox, texts: Letterbox) -> Iterator[Crew]:
    """Workers without a clock: whatever they do, somebody has asked for it."""
    variables = {
        "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail.port), "EMAIL_USE_TLS": "0",
        "HMS_SMS_GATEWAY_URL": f"http://127.0.0.1:{texts.port}/send", "HMS_SMS_GATEWAY_TOKEN": "a-token",
        "HMS_WEBHOOK_ALLOW": "127.0.0.1",
    }  # fmt: skip
    with crew(f"sending_{worker_id}", with_redis=False, variables=variables) as found:
        found.start("worker", "--no-clock")
        found.wait_until_working()
        yield found


@pytest.fixture(scope="module")
def world(at_work: Crew) -> Any:
    return at_work.ask("world")


@pytest.fixture
def end() -> Iterator[Endpoint]:
    with endpoints(1) as (one,):
        yield one


def jobs(at_work: Crew, kind: str) -> list[dict[str, Any]]:
    return at_work.connection.execute("SELECT * FROM core_job WHERE kind = %s ORDER BY id", [kind]).fetchall()


def ended(at_work: Crew, kind: str) -> list[dict[str, Any]]:
    """Once none of them is live, but for those that begin later."""

    def over() -> list[dict[str, Any]]:
        found = [one for one in jobs(at_work, kind) if not one["dedupe_key"].startswith("at-")]
        return found if all(one["state"] == "succeeded" for one in found) else []

    found: list[dict[str, Any]] = at_work.until(over, f"the end of {kind}")
    return found


def test_what_is_posted_where_no_courier_runs_is_sent_at_once(at_work: Crew, mail: Letterbox) -> None:
    at_work.ask("write", to="one@example.org")
    mail.wait_for("one@example.org")
    assert [one["queue"] for one in ended(at_work, "messages.send")] == ["messages"]


def test_many_letters_need_few_jobs(at_work: Crew, mail: Letterbox) -> None:
    before = len(ended(at_work, "messages.send"))
    at_work.ask("write", to="many@example.org", times=100)
    at_work.until(lambda: sum(one["to"] == "many@example.org" for one in mail.arrived) == 100, "a hundred letters", MINUTE)
    made = ended(at_work, "messages.send")[before:]
    assert sum(int(one["sentence"].split()[0]) for one in made if one["sentence"]) == 100
    assert len(made) < 50


@pytest.mark.slow  # other tests' open transactions on this server hold events back: it wants to be alone
def test_an_event_is_told_within_a_moment(at_work: Crew, world: Any, end: Endpoint) -> None:
    patient = world["patients"][0]
    secret = at_work.ask("webhook", clinic=world["clinic"], url=f"{end.url}/hms", events=["patient.changed"])
    receiver = Receiver(secret)
    end.answer = lambda taken: Told(receiver.take(taken.headers, taken.body))
    for number in range(1, 4):
        began = time.monotonic()
        at_work.ask("patient_changed", clinic=world["clinic"], patient=patient)
        at_work.until(lambda number=number: len(receiver.events) == number, "the event")
        assert time.monotonic() - began < MINUTE / 4
    assert receiver.refused == receiver.twice == 0
    assert len(ended(at_work, "webhooks.send")) >= 3


def test_what_nobody_wants_to_hear_begins_no_job(at_work: Crew, world: Any) -> None:
    hillcrest = at_work.connection.execute("SELECT id FROM core_clinic WHERE slug = 'hillcrest'").fetchone()
    assert hillcrest
    before = len(jobs(at_work, "webhooks.send"))
    at_work.ask("patient_changed", clinic=str(hillcrest["id"]), patient=world["patients"][0])
    assert len(jobs(at_work, "webhooks.send")) == before


def test_a_visit_is_reminded_of_from_the_clock_to_the_telephone(at_work: Crew, world: Any, texts: Letterbox) -> None:
    at_work.ask("visit", clinic=world["clinic"], hours=30, phone="+447700900123")
    at_work.start("clock")
    at_work.until(
        lambda: at_work.connection.execute(
            "UPDATE core_schedulemark SET moment = '2026-01-01' WHERE entry LIKE 'reminders.send@%' RETURNING 1"
        ).fetchone(),
        "the clock's first look",
    )
    texts.wait_for("+447700900123")
    reminders = ended(at_work, "reminders.send")
    assert {one["queue"] for one in reminders} == {"reminders"}
    assert str(world["clinic"]) in {str(one["in_clinic"]) for one in reminders}
    assert [one["sentence"] for one in reminders if one["sentence"]] == ["1 written, 0 can't be sent, 0 failed"]
