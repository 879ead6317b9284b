"""Each patient gets each reminder once, for the time that the visit has, whatever happens to others."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone, translation

from appointments.choices import Status
from appointments.models import Reminder, Service
from appointments.services import reminders, send_reminders
from appointments.services.reminders import Reminded
from core.jobs.execution import execute
from core.jobs.models import Job
from core.jobs.services import enqueue
from core.tenancy.context import Scope, unit_of_work
from core.times import weekday_and_date
from tests.architecture.catalogue import connected
from tests.factories.channels import forget_troubles
from tests.factories.letters import Letterbox, gateway, smtp_server
from tests.factories.reminded import Reminding, reminding
from tests.factories.threads import apart
from tests.factories.trouble import waiting
from tests.factories.world import World

SMS, MAIL = "+447700900100", "ines@example.org"


@pytest.fixture
def clinic(world: World) -> Iterator[Reminding]:
    with reminding(world.riverside) as found:
        yield found
    forget_troubles()


@pytest.fixture(autouse=True)
def texts(settings: Any) -> Iterator[Letterbox]:
    with gateway() as box:
        settings.HMS_MESSAGE_GATEWAYS = {"sms": f"http://127.0.0.1:{box.port}/send", "whatsapp": ""}
        settings.MAILERS = {}
        yield box


@pytest.fixture
def mail(settings: Any) -> Iterator[Letterbox]:
    with smtp_server() as box:
        options = {"host": "127.0.0.1", "port": box.port, "timeout": 5}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        yield box


def soon(**delta: float) -> datetime:
    return (timezone.now() + timedelta(**delta)).replace(microsecond=0)


# --- When -------------------------------------------------------------------------------------------------------------------
def test_two_reminders_48_and_2_hours_before_and_no_more(clinic: Reminding, texts: Letterbox) -> None:
    start = soon(days=4)
    clinic.visit(start)
    said = []
    for hours in (49, 48, 47.9, 24, 2.1, 2, 1.9, 0.6, 0.4, -1):
        said.append(clinic.remind(start - timedelta(hours=hours)).written)
    assert said == [0, 1, 0, 0, 0, 1, 0, 0, 0, 0]
    assert [one.about_at for one in clinic.told()] == [start, start]


def test_a_service_has_its_own_times_or_none(clinic: Reminding) -> None:
    start, other = soon(days=9), clinic.place.services[1]
    clinic.visit(start, service_id=other.pk)
    before = {name: getattr(other, name) for name in ("reminder_hours", "second_reminder_hours")}

    def has(first: int, second: int) -> None:
        clinic.inside(lambda: Service.objects.filter(pk=other.pk).update(reminder_hours=first, second_reminder_hours=second))

    try:
        has(0, 0)
        assert clinic.remind(start - timedelta(hours=1)).written == 0
        has(168, 0)
        assert clinic.remind(start - timedelta(hours=169)).written == 0
        assert clinic.remind(start - timedelta(hours=168)).written == 1
        assert clinic.remind(start - timedelta(hours=1)).written == 0
    finally:
        has(*before.values())


def test_who_was_not_reminded_in_time_gets_the_later_one_alone(clinic: Reminding) -> None:
    """After an outage, and for visits that are booked at short notice."""
    start = soon(days=1)
    clinic.visit(start)
    assert clinic.remind(start - timedelta(hours=1)).written == 1
    assert clinic.remind(start - timedelta(minutes=50)).written == 0


@pytest.mark.parametrize(
    "zone,visit,hour_before",
    [
        ("Europe/London", "2026-10-26 09:00", "2026-10-24 10:00"),  # the night between had 25 hours
        ("Europe/London", "2027-03-29 09:00", "2027-03-27 08:00"),  # 23 hours
        ("America/New_York", "2027-11-08 09:00", "2027-11-06 10:00"),
        ("America/New_York", "2027-03-15 09:00", "2027-03-13 08:00"),
    ],
)
def test_across_a_change_of_the_clocks_it_is_48_hours_and_the_visits_own_time(
    zone: str, visit: str, hour_before: str, clinic: Reminding
) -> None:
    there = ZoneInfo(zone)
    start = datetime.fromisoformat(visit).replace(tzinfo=there)
    clinic.visit(start.astimezone(UTC), time_zone=zone)
    due = datetime.fromisoformat(hour_before).replace(tzinfo=there)
    assert clinic.remind(due - timedelta(minutes=1)).written == 0
    assert clinic.remind(due).written == 1
    assert f"Monday {start.day} {start:%B %Y} at 09:00." in clinic.told()[0].words
    assert clinic.remind(start - timedelta(hours=2, minutes=1)).written == 0
    assert clinic.remind(start - timedelta(hours=2)).written == 1


def test_times_are_the_locations(clinic: Reminding) -> None:
    """In the hour that comes twice the zone's letters tell which."""
    clinic.visit(datetime(2027, 10, 31, 0, 30, tzinfo=UTC))
    clinic.visit(datetime(2027, 10, 31, 1, 30, tzinfo=UTC))
    clinic.visit(datetime(2027, 10, 31, 1, 45, tzinfo=UTC), time_zone="America/New_York")
    clinic.remind(datetime(2027, 10, 29, 2, 0, tzinfo=UTC))
    words = [re.search(r"on (.+)\. Confirm", one.words)[1] for one in clinic.told()]  # type: ignore[index]
    day, before = "Sunday 31 October 2027", "Saturday 30 October 2027"
    assert words == [f"{day} at 01:30 BST", f"{day} at 01:30 GMT", f"{before} at 21:45"]


# --- Once -------------------------------------------------------------------------------------------------------------------
def test_many_at_once_remind_once(clinic: Reminding, texts: Letterbox) -> None:
    start = soon(hours=30)
    for number in range(6):
        clinic.visit(start, clinic.patient(phone=f"+4477009001{number:02d}"))
    runs: list[Reminded] = apart(*[lambda: send_reminders(clinic=clinic.place.clinic)] * 4)
    assert sum(one.written for one in runs) == 6 and not any(one.failed for one in runs)
    clinic.deliver()
    assert sorted(one["to"] for one in texts.arrived) == [f"+4477009001{number:02d}" for number in range(6)]


def test_a_moved_visit_gets_a_new_reminder_and_the_old_one_is_not_sent(clinic: Reminding, texts: Letterbox) -> None:
    start = soon(hours=30)
    visit = clinic.visit(start)
    clinic.remind(timezone.now())
    clinic.change(visit, start=start + timedelta(hours=3), end=start + timedelta(hours=4))
    clinic.remind(timezone.now())
    clinic.deliver()
    first, second = clinic.told()
    assert (first.state, first.cause) == ("failed", "the visit was moved")
    assert (second.state, second.about_at) == ("sent", start + timedelta(hours=3))
    assert len(texts.arrived) == 1


def test_moved_back_it_is_not_reminded_of_the_same_time_again(clinic: Reminding, texts: Letterbox) -> None:
    start = soon(hours=30)
    visit = clinic.visit(start)
    clinic.remind(timezone.now())
    clinic.change(visit, start=start + timedelta(days=9), end=start + timedelta(days=9, hours=1))
    clinic.remind(timezone.now())
    clinic.change(visit, start=start, end=start + timedelta(hours=1))
    clinic.remind(timezone.now())
    clinic.deliver()
    assert len(texts.arrived) == 1


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.NO_SHOW, Status.CHECKED_IN, Status.COMPLETED])
def test_of_a_visit_that_is_off_nobody_is_reminded(status: Status, clinic: Reminding, texts: Letterbox) -> None:
    clinic.visit(soon(hours=30), status=status)
    later = clinic.visit(soon(hours=31))
    assert clinic.remind(timezone.now()).written == 1
    clinic.change(later, status=status)
    clinic.deliver()
    assert texts.arrived == [] and clinic.told()[0].cause == "the visit is off"


# --- Others' trouble --------------------------------------------------------------------------------------------------------
def test_a_patient_without_phone_in_the_middle_holds_nobody_up(clinic: Reminding, texts: Letterbox) -> None:
    start = soon(hours=30)
    first, nowhere, last = clinic.patient(phone="+447700900101"), clinic.patient(phone=""), clinic.patient(phone="+447700900103")
    for number, patient in enumerate((first, nowhere, last)):
        clinic.visit(start + timedelta(minutes=number), patient)
    done = clinic.remind(timezone.now())
    assert (done.written, done.not_sent, done.failed) == (2, 1, 0)
    clinic.deliver()
    assert sorted(one["to"] for one in texts.arrived) == ["+447700900101", "+447700900103"]
    assert [(one.state, one.cause) for one in clinic.told(nowhere)] == [("failed", "no channel")]


def test_a_fault_with_one_patient_stops_nobody_else_and_is_tried_again(
    clinic: Reminding, texts: Letterbox, monkeypatch: Any
) -> None:
    start = soon(hours=30)
    visits = [clinic.visit(start + timedelta(minutes=number)) for number in range(3)]
    remind = reminders.remind

    def fails(visit: Any, *args: Any, **kwargs: Any) -> Any:
        if visit.pk == visits[1].pk:
            raise RuntimeError("a fault")
        return remind(visit, *args, **kwargs)

    monkeypatch.setattr(reminders, "remind", fails)
    done = clinic.remind(timezone.now())
    assert (done.written, done.failed) == (2, 1)
    monkeypatch.undo()
    assert clinic.remind(timezone.now()).written == 1
    assert len(clinic.told()) == 3


def test_the_job_says_how_many_and_a_failing_patient_ends_it_well(clinic: Reminding, texts: Letterbox, monkeypatch: Any) -> None:
    start = soon(hours=30)
    visits = [clinic.visit(start + timedelta(minutes=number)) for number in range(3)]
    clinic.visit(start, clinic.patient(phone="", reminder_channels=["sms"]))
    remind = reminders.remind

    def fails(visit: Any, *args: Any, **kwargs: Any) -> Any:
        if visit.pk == visits[1].pk:
            raise RuntimeError("a fault")
        return remind(visit, *args, **kwargs)

    monkeypatch.setattr(reminders, "remind", fails)
    assert _job(clinic) == ("succeeded", "2 written, 1 can't be sent, 1 failed")
    monkeypatch.undo()
    assert _job(clinic) == ("succeeded", "1 written, 0 can't be sent, 0 failed")
    assert _job(clinic) == ("succeeded", "")


def _job(clinic: Reminding) -> tuple[str, str]:
    """The state and the last sentence of a job that has been done."""
    clinic_id = clinic.place.clinic.pk

    def run() -> tuple[str, str]:
        with unit_of_work(Scope(reason="test")):
            key = enqueue("reminders.send", clinic=clinic_id)
        execute(key)
        with unit_of_work(Scope(reason="test")):
            job = Job.objects.get(pk=key)
        return str(job.state), job.sentence

    found: tuple[str, str] = apart(run)[0]
    return found


def test_when_its_time_is_over_the_rest_is_left_to_the_next_run(clinic: Reminding) -> None:
    for number in range(3):
        clinic.visit(soon(hours=30) + timedelta(minutes=number))
    looks = iter([False, True])
    done = apart(lambda: send_reminders(clinic=clinic.place.clinic, until=lambda: next(looks)))[0]
    assert (done.written, clinic.remind(timezone.now()).written) == (1, 2)


def test_a_visit_that_is_broken_stops_nobody_else_and_is_reminded_of_when_it_is_mended(clinic: Reminding, texts: Letterbox) -> None:
    """Its zone is none: the time can't be said. Nothing of it is left that would pass for a reminder."""
    start = soon(hours=30)
    patients = [clinic.patient(phone=f"+44770090010{number}") for number in range(3)]
    visits = [clinic.visit(start + timedelta(minutes=number), one) for number, one in enumerate(patients)]
    zone = visits[1].time_zone
    clinic.change(visits[1], time_zone="Nowhere/City")
    done = clinic.remind(timezone.now())
    assert (done.written, done.failed) == (2, 1) and clinic.told(patients[1]) == []
    assert clinic.remind(timezone.now()) == Reminded(failed=1)
    clinic.change(visits[1], time_zone=zone)
    assert clinic.remind(timezone.now()) == Reminded(written=1)
    clinic.deliver()
    assert sorted(one["to"] for one in texts.arrived) == [one.phone for one in patients]


def test_moved_or_cancelled_while_it_waits_for_the_gateway_it_is_not_sent(clinic: Reminding, texts: Letterbox) -> None:
    """Written, tried once in vain; then the visits change, and the gateway is well again."""
    start = soon(hours=30)
    patients = [clinic.patient(phone=f"+44770090010{number}") for number in range(3)]
    visits = [clinic.visit(start + timedelta(minutes=number), one) for number, one in enumerate(patients)]
    texts.refuse = 429
    clinic.remind(timezone.now())
    clinic.deliver()
    clinic.change(visits[0], start=start - timedelta(hours=3), end=start - timedelta(hours=2))
    clinic.change(visits[1], status=Status.CANCELLED)
    texts.refuse = 0
    forget_troubles()
    waiting()
    clinic.deliver()
    assert [one["to"] for one in texts.arrived] == [patients[2].phone]
    assert [clinic.told(one)[0].cause for one in patients] == ["the visit was moved", "the visit is off", ""]


# --- As the patient wants it ------------------------------------------------------------------------------------------------
def test_by_the_channels_they_chose_in_their_order_and_their_language(clinic: Reminding, texts: Letterbox, mail: Letterbox) -> None:
    patient = clinic.patient(reminder_channels=["sms", "email"], language="es-MX")
    start = soon(hours=30)
    clinic.visit(start, patient)
    texts.refuse = 400
    clinic.remind(timezone.now())
    clinic.deliver()
    letter = mail.wait_for(MAIL)
    with translation.override("es"):
        assert letter["subject"] == f"Su visita del {weekday_and_date(start, 'Europe/London')}"
    (kept,) = clinic.told()
    assert (kept.state, kept.channel, kept.cause, kept.language) == ("sent", "email", "sms: HTTP 400", "es")


def test_who_chose_no_channel_is_told_nothing(clinic: Reminding) -> None:
    clinic.visit(soon(hours=30), clinic.patient(reminder_channels=[]))
    assert clinic.remind(timezone.now()) == Reminded()
    assert clinic.told() == []


@pytest.mark.parametrize("late", [False, True])
def test_a_consent_that_was_taken_back_holds_at_once(late: bool, clinic: Reminding, texts: Letterbox) -> None:
    patient = clinic.patient()
    clinic.visit(soon(hours=30), patient)
    clinic.consent(patient, given=True)
    if not late:
        clinic.consent(patient, given=False)
    clinic.remind(timezone.now())
    if late:
        clinic.consent(patient, given=False)
    clinic.deliver()
    assert texts.arrived == [] and [one.cause for one in clinic.told()] == ["no consent"]


def test_in_quiet_hours_it_waits_and_past_the_visit_it_is_not_sent(clinic: Reminding) -> None:
    london = ZoneInfo("Europe/London")
    quiet = clinic.patient(quiet_from=time(21), quiet_until=time(8))
    start = datetime(2027, 6, 12, 23, 30, tzinfo=london)
    clinic.visit(start, quiet)
    clinic.remind(start - timedelta(hours=48))
    clinic.remind(start - timedelta(hours=2))
    first, second = clinic.told()
    assert first.due_at == datetime(2027, 6, 11, 8, tzinfo=london)
    assert (second.state, second.cause) == ("failed", "quiet hours")


@pytest.mark.parametrize(
    "zone,visit,due",
    [
        ("Europe/London", "2027-03-29 23:30", "2027-03-28 08:00"),  # it would be due at 22:30, the night has an hour less
        ("Europe/London", "2027-11-01 22:30", "2027-10-31 08:00"),
        ("America/New_York", "2027-03-15 23:30", "2027-03-14 08:00"),
        ("America/New_York", "2027-11-08 22:30", "2027-11-07 08:00"),
    ],
)
def test_quiet_hours_end_by_the_clinics_clock_in_a_night_when_it_changes(
    zone: str, visit: str, due: str, clinic: Reminding
) -> None:
    clinic.place.clinic.time_zone = zone
    there = ZoneInfo(zone)
    start = datetime.fromisoformat(visit).replace(tzinfo=there).astimezone(UTC)
    clinic.visit(start, clinic.patient(quiet_from=time(21), quiet_until=time(8)))
    clinic.remind(start - timedelta(hours=48))
    assert clinic.told()[0].due_at == datetime.fromisoformat(due).replace(tzinfo=there)


def test_an_outage_of_every_channel_ends_and_each_gets_one(clinic: Reminding, texts: Letterbox, settings: Any) -> None:
    """Nobody is written to twice, and nobody is forgotten."""
    start = soon(hours=30)
    for number in range(3):
        clinic.visit(start, clinic.patient(phone=f"+4477009001{number:02d}"))
    working = settings.HMS_MESSAGE_GATEWAYS
    texts.refuse = 429
    clinic.remind(timezone.now())
    clinic.deliver()
    assert [one.state for one in clinic.told()] == ["waiting"] * 3
    texts.refuse = 0
    settings.HMS_MESSAGE_GATEWAYS = working
    forget_troubles()
    with connected("postgres") as connection:
        connection.execute("UPDATE core_outgoingmessage SET due_at = now()")
        connection.commit()
    clinic.deliver()
    clinic.remind(timezone.now())
    clinic.deliver()
    assert sorted(one["to"] for one in texts.arrived) == [f"+4477009001{number:02d}" for number in range(3)]
    assert [one.state for one in clinic.told()] == ["sent"] * 3


# --- What is kept, and the link ---------------------------------------------------------------------------------------------
def test_the_link_arrives_and_is_kept_nowhere(clinic: Reminding, texts: Letterbox) -> None:
    clinic.visit(soon(hours=30))
    clinic.remind(timezone.now())
    clinic.deliver()
    letter = texts.wait_for(SMS)
    link = re.search(r"http://[^/\s]+(/visit/\S+/)", letter["text"])
    assert link and clinic.place.providers[0].name not in letter["text"] and "Consultation" not in letter["text"]
    (kept,) = clinic.told()
    assert "/visit/" not in kept.words and "Riverside Practice" in kept.words
    assert apart(lambda: Client().get(link[1]).status_code) == [200]


def test_the_command_says_counts(clinic: Reminding, capsys: Any) -> None:
    clinic.visit(soon(hours=30))

    def run() -> None:
        call_command("send_reminders", "--clinic", "riverside")
        call_command("send_reminders", "--clinic", "riverside")

    apart(run)
    said = capsys.readouterr().out
    assert "riverside: 1 written, 0 can't be sent, 0 failed." in said
    assert "riverside: 0 written, 0 can't be sent, 0 failed." in said


def test_reminders_are_rows_of_their_visit(clinic: Reminding) -> None:
    visit = clinic.visit(soon(hours=30))
    clinic.remind(timezone.now())
    rows = clinic.inside(lambda: list(Reminder.objects.all()))
    assert [(one.appointment_id, one.kind, one.start, one.message_id) for one in rows] == [
        (visit.pk, "first", visit.start, clinic.told()[0].pk)
    ]
