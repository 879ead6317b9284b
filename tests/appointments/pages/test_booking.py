"""The booking panel: each field narrows the next, nothing typed is lost, nobody is booked twice."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from appointments.choices import Source, Status
from appointments.forms import slot_value
from appointments.models import Appointment, Schedule
from appointments.pages.slot_picker import SlotPicker, Wish, slot_picker
from core.accounts.roles import MATRIX, Role
from core.database.detector import Detector
from core.tenancy.context import clinic_scope
from patients.models import Patient
from tests.appointments.test_budgets import MOST
from tests.factories.page_forms import forms_of
from tests.factories.visits import at, book, make_patient, move_to_noon
from tests.factories.world import Place


@pytest.fixture
def amara(riverside: Place) -> Patient:
    with clinic_scope(riverside.clinic, reason="test"):
        return make_patient(given_name="Amara", family_name="Okafor")


@pytest.fixture
def reception(sign_in: Any, riverside: Place) -> Client:
    return sign_in(riverside.users[Role.RECEPTIONIST])


def filled(place: Place, patient: Patient, hour: int = 9, minute: int = 0, **fields: Any) -> dict[str, str]:
    return {
        "idempotency_key": str(uuid4()),
        "patient": str(patient.pk),
        "service": str(place.services[0].pk),
        "slot": slot_value(at(place, 1, hour, minute), place.providers[0].pk),
        "day": at(place, 1, 9).date().isoformat(),
        **fields,
    }


def visits_of(place: Place, patient: Patient) -> list[Appointment]:
    with clinic_scope(place.clinic, reason="test"):
        return list(Appointment.objects.filter(patient=patient))


def test_booking_step_by_step_without_javascript(reception: Client, riverside: Place, amara: Patient) -> None:
    page = reception.get("/appointments/book/")
    assert page.status_code == 200
    assert 'name="q"' in page.text
    typed = {"patient": str(amara.pk), "service": str(riverside.services[0].pk), "provider": "", "notes": "brings a letter"}
    page = reception.post("/appointments/book/panel/", {**typed, "day": at(riverside, 1, 9).date().isoformat()})
    assert page.status_code == 200
    assert "Amara Okafor" in page.text
    assert "brings a letter" in page.text
    chosen = re.search(r'name="slot" value="([^"]+)" checked', page.text)
    assert chosen  # the first free time is chosen at once
    assert 'data-said="time">08:00<' in page.text
    body = {**typed, "slot": chosen.group(1), "idempotency_key": str(uuid4()), "next": "/calendar/", "is_urgent": "1"}
    answer = reception.post("/appointments/book/", body)
    assert (answer.status_code, answer["Location"]) == (303, "/calendar/")
    (visit,) = visits_of(riverside, amara)
    assert (visit.status, visit.source, visit.is_urgent, visit.notes) == (Status.CONFIRMED, Source.STAFF, True, "brings a letter")
    assert visit.start == at(riverside, 1, 8)
    assert "Booked Amara Okafor at 08:00" in reception.get("/calendar/").text


def test_a_taken_slot_offers_the_nearest_and_keeps_what_was_typed(reception: Client, riverside: Place, amara: Patient) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, at(riverside, 1, 9))
    answer = reception.post("/appointments/book/", filled(riverside, amara, notes="Keep <this>", is_urgent="1"))
    assert answer.status_code == 409
    assert "is taken at this time" in answer.text
    assert "Keep &lt;this&gt;" in answer.text
    assert "Amara Okafor" in answer.text
    assert 'name="is_urgent" value="1" checked' in answer.text
    alternatives = re.findall(r'name="alternative" value="([^"]+)"', answer.text)
    assert len(alternatives) >= 3
    assert visits_of(riverside, amara) == []
    again = reception.post("/appointments/book/", {**filled(riverside, amara), "alternative": alternatives[0]})
    assert again.status_code == 303
    (visit,) = visits_of(riverside, amara)
    assert slot_value(visit.start, visit.provider_id).partition("~")[2] == alternatives[0].partition("~")[2]
    assert visit.start != at(riverside, 1, 9)


@pytest.fixture
def elsewhere(riverside: Place) -> Place:
    """The second provider works at the harbour, by the clock of Paris."""
    with clinic_scope(riverside.clinic, reason="test"):
        harbour = riverside.locations[1]
        harbour.time_zone = "Europe/Paris"
        harbour.save()
        Schedule.objects.filter(provider=riverside.providers[1]).update(location=harbour)
    return riverside


def offers_of(answer: Any) -> list[tuple[str, str]]:
    """The alternatives' values and words."""
    return re.findall(r'name="alternative" value="([^"]+)">([^<]*)<', answer.text)


def test_other_times_are_where_the_visit_has_to_be_or_say_where(reception: Client, elsewhere: Place, amara: Patient) -> None:
    with clinic_scope(elsewhere.clinic, reason="test"):
        book(elsewhere, at(elsewhere, 1, 9))
    street, harbour = elsewhere.locations
    anywhere = offers_of(reception.post("/appointments/book/", filled(elsewhere, amara)))
    there = [words for value, words in anywhere if value.endswith(str(elsewhere.providers[1].pk))]
    assert there and all(words.endswith(f", {harbour.name}") for words in there)
    bound = offers_of(reception.post("/appointments/book/", filled(elsewhere, amara, location=str(street.pk))))
    assert len(bound) == 6 and not [value for value, _ in bound if value.endswith(str(elsewhere.providers[1].pk))]
    assert not [words for _, words in bound if street.name in words], "it is said above"
    taken = filled(elsewhere, amara, location=str(street.pk)) | {"alternative": bound[0][0]}
    assert reception.post("/appointments/book/", taken).status_code == 303


def test_what_was_booked_is_told_on_the_clock_of_its_place(reception: Client, elsewhere: Place, amara: Patient) -> None:
    start = at(elsewhere, 1, 12).astimezone(ZoneInfo("Europe/Paris")).replace(hour=15)
    body = filled(elsewhere, amara, slot=slot_value(start, elsewhere.providers[1].pk))
    assert reception.post("/appointments/book/", body).status_code == 303
    assert "Booked Amara Okafor at 15:00" in reception.get("/").text


def test_a_taken_slot_beside_the_calendar_is_told_in_the_panel(reception: Client, riverside: Place, amara: Patient) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, at(riverside, 1, 9))
    answer = reception.post("/appointments/book/", filled(riverside, amara), headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "<html" not in answer.text
    assert 'id="booking"' in answer.text
    assert 'name="alternative"' in answer.text


def test_a_double_submit_books_once(reception: Client, riverside: Place, amara: Patient) -> None:
    body = filled(riverside, amara)
    assert reception.post("/appointments/book/", body).status_code == 303
    second = reception.post("/appointments/book/", body)
    assert second.status_code == 303
    assert second["Idempotency-Replayed"] == "true"
    assert len(visits_of(riverside, amara)) == 1


def test_every_missing_field_is_named(reception: Client, riverside: Place) -> None:
    answer = reception.post("/appointments/book/", {"notes": "typed"})
    assert answer.status_code == 422
    for sentence in ("Choose the patient.", "Choose the service.", "Choose one of the times."):
        assert sentence in answer.text
    assert "typed" in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"slot": "nonsense"}, {"slot": "2026-99-99T10:00:00+00:00~x"}, {"slot": "2026-01-01T10:00:00~" + str(uuid4())},
        {"patient": "x"}, {"service": str(uuid4())}, {"notes": "x" * 2001}, {"notes": "a\x00b"}, {"patient": str(uuid4())},
        {"location": str(uuid4())}, {"location": "x"}, {"slot": "9999-12-31T23:59:59+00:00~" + str(uuid4())},
        {"slot": "0001-01-01T00:00:00+00:00~" + str(uuid4())}, {"day": "2026-02-31"}, {"from": "9999-12-31", "slot": ""},
    ],
)  # fmt: skip
def test_bad_input_is_never_a_fault(reception: Client, riverside: Place, amara: Patient, wrong: dict[str, str]) -> None:
    body = filled(riverside, amara) | wrong
    assert reception.post("/appointments/book/", body).status_code in (303, 409, 422)
    assert reception.post("/appointments/book/panel/", body | {"idempotency_key": str(uuid4())}).status_code == 200
    query = {key: value for key, value in wrong.items() if key != "notes"}
    assert reception.get("/appointments/book/", query).status_code == 200


def test_a_past_time_is_refused(reception: Client, riverside: Place, amara: Patient) -> None:
    yesterday = slot_value(at(riverside, -1, 9), riverside.providers[0].pk)
    answer = reception.post("/appointments/book/", filled(riverside, amara, slot=yesterday))
    assert answer.status_code == 422
    assert "This time is past." in answer.text


def test_patients_are_found_while_typing(reception: Client, riverside: Place, amara: Patient) -> None:
    answer = reception.post("/appointments/book/patients/", {"q": "zzzzqq"})
    assert answer.status_code == 200
    assert "Nobody found." in answer.text
    recent = reception.post("/appointments/book/patients/", {"q": ""})
    assert "Amara Okafor" in recent.text


def test_no_name_is_read_from_an_address(reception: Client, amara: Patient) -> None:
    assert 'value="Okafor"' in reception.post("/appointments/book/panel/", {"q": "Okafor"}).text
    assert 'value="Okafor"' not in reception.get("/appointments/book/", {"q": "Okafor"}).text


def test_rebooking_takes_over_patient_service_and_provider(reception: Client, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, at(riverside, 1, 9))
    page = reception.get(f"/appointments/book/?again={visit.pk}").text
    assert visit.patient.mrn in page
    assert f'value="{visit.service_id}" selected' in page
    assert f'value="{visit.provider_id}" selected' in page


def test_a_taken_time_stays_visible(reception: Client, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, at(riverside, 1, 9))
    day = at(riverside, 1, 9).date().isoformat()
    query = {"service": riverside.services[0].pk, "provider": riverside.providers[0].pk, "day": day}
    page = reception.get("/appointments/book/", query).text
    assert re.search(r'name="slot" value="[^"]*T09:00[^"]*" disabled', page)


def test_a_free_stretch_of_the_calendar_prefills_the_panel(reception: Client, riverside: Place) -> None:
    day = at(riverside, 1, 9).date().isoformat()
    calendar = reception.get(f"/calendar/?day={day}")
    assert calendar.status_code == 200
    link = re.search(r'class="free [^"]*" href="([^"]+)"', calendar.text)
    assert link
    page = reception.get(link.group(1).replace("&amp;", "&") + f"&service={riverside.services[0].pk}")
    assert 'data-said="time">08:00<' in page.text


@pytest.mark.parametrize("is_known", [True, False], ids=["patient first", "service first"])
def test_provider_and_time_of_the_calendar_stay_until_a_service_is_chosen(
    is_known: bool, reception: Client, riverside: Place, amara: Patient
) -> None:
    second, service = riverside.providers[1], riverside.services[0]
    panel = reception.get("/appointments/book/", {"provider": second.pk, "start": at(riverside, 1, 14).isoformat()})
    for said in [{"patient": str(amara.pk)}] * is_known + [{"is_urgent": "1"}]:
        panel = reception.post("/appointments/book/panel/", sent_by(panel) | said)
        assert f'value="{second.pk}" selected' in panel.text
        assert f"Choose the service to book 14:00 on {at(riverside, 1, 14):%a %-d %B}." in panel.text
    panel = reception.post("/appointments/book/panel/", sent_by(panel) | {"service": str(service.pk)})
    assert f'value="{slot_value(at(riverside, 1, 14), second.pk)}" checked' in panel.text
    assert "Choose the service" not in panel.text
    assert f'value="{second.pk}" selected' in panel.text and f'value="{riverside.providers[0].pk}">' in panel.text


def sent_by(page: Any) -> dict[str, Any]:
    """What the panel sends when one of its fields changes."""
    (form,) = [one for one in forms_of(page.text, "") if one.action == "/appointments/book/"]
    return {name: values for name, values in form.values.items() if name != "idempotency_key"}


def test_a_provider_who_does_not_offer_the_service_is_not_kept(reception: Client, riverside: Place) -> None:
    second, service = riverside.providers[1], riverside.services[0]
    with clinic_scope(riverside.clinic, reason="test"):
        service.providers.remove(second)
    panel = reception.post("/appointments/book/panel/", {"provider": str(second.pk), "service": str(service.pk)})
    assert str(second.pk) not in panel.text


def test_a_walk_in_is_offered_today_alone_and_not_checked_in_for_another_day(
    reception: Client, riverside: Place, amara: Patient
) -> None:
    body = filled(riverside, amara, walk_in="1")
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, at(riverside, 1, 9))
    assert offers_of(reception.post("/appointments/book/", body)) == []
    tomorrow = body | {"slot": slot_value(at(riverside, 1, 11), riverside.providers[0].pk), "idempotency_key": str(uuid4())}
    assert reception.post("/appointments/book/", tomorrow).status_code == 303
    (visit,) = visits_of(riverside, amara)
    assert (visit.status, visit.source) == (Status.CONFIRMED, Source.WALK_IN)
    assert "Booked Amara Okafor at 11:00" in reception.get("/").text


def by_night(place: Place, now: datetime, **wish: Any) -> SlotPicker:
    """What is offered at this moment where the first provider works from 22:00 to 06:00, and nobody else."""
    with clinic_scope(place.clinic, reason="test"), timezone.override(place.clinic.zone):
        Schedule.objects.exclude(provider=place.providers[0]).delete()
        Schedule.objects.update(start_time=time(22), end_time=time(6), slot_minutes=15)
        actor, service = place.actor(Role.RECEPTIONIST), place.services[0]
        with Detector().on(connection) as counter:
            picker = slot_picker(actor=actor, service=service, wish=Wish(**wish), now=now)
        assert counter.count <= 5
        return picker


def test_after_midnight_the_shift_that_began_before_it_is_offered_and_booked(riverside: Place, amara: Patient) -> None:
    soon = at(riverside, 1, 0, 45)
    for wish in ({}, {"day": soon.date(), "start": soon}, {"today_only": True}):
        picker = by_night(riverside, at(riverside, 1, 0, 40), **wish)
        assert picker.chosen and picker.chosen.value == slot_value(soon, riverside.providers[0].pk), wish
        assert [one.local.hour for one in picker.times if one.local.hour < 22][-1] == 5
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, soon, patient_id=amara.pk)
        assert visit.start == soon
    taken = by_night(riverside, at(riverside, 1, 0, 40))
    quarters = [(soon.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(riverside.clinic.zone) for minutes in (0, 15, 30)]
    values = [slot_value(start, riverside.providers[0].pk) for start in quarters]  # on a night of changed clocks there is no 01:00
    assert [(one.value, one.is_free) for one in taken.times[:3]] == list(zip(values, (False, False, True), strict=True))
    assert by_night(riverside, at(riverside, 1, 0, 40), moving=visit.pk).times[0].is_free


def test_each_day_of_a_window_has_its_own_night(riverside: Place) -> None:
    noon, tomorrow = at(riverside, 1, 12), at(riverside, 1, 12).date()
    first = by_night(riverside, noon)
    assert [one.day - tomorrow for one in first.days] == [timedelta(days=number) for number in range(7)]
    assert first.later == tomorrow + timedelta(days=7)
    second = by_night(riverside, noon, first_day=first.later)
    assert (second.days[0].day, second.times[0].local.hour) == (first.later, 0)


def test_whoever_walks_in_before_midnight_may_wait_past_it(riverside: Place) -> None:
    picker = by_night(riverside, at(riverside, 1, 23, 50), today_only=True)
    assert picker.chosen and picker.chosen.value == slot_value(at(riverside, 2, 0), riverside.providers[0].pk)


def test_a_walk_in_waits_at_once(reception: Client, riverside: Place, amara: Patient) -> None:
    move_to_noon(riverside)
    with clinic_scope(riverside.clinic, reason="test"):
        Schedule.objects.filter(provider=riverside.providers[0]).update(start_time=time(0), end_time=time(0), slot_minutes=5)
    soon = timezone.now() + timedelta(minutes=5)
    start = soon.replace(minute=soon.minute // 5 * 5, second=0, microsecond=0)
    body = filled(riverside, amara, walk_in="1", slot=slot_value(start, riverside.providers[0].pk), next="/")
    assert reception.post("/appointments/book/", body).status_code == 303
    (visit,) = visits_of(riverside, amara)
    assert (visit.source, visit.status) == (Source.WALK_IN, Status.CHECKED_IN)
    assert "is waiting for" in reception.get("/").text


@pytest.mark.parametrize(
    "role", [Role.RECEPTIONIST, Role.NURSE, Role.DOCTOR, Role.AUDITOR, Role.PHARMACIST, Role.PATIENT, Role.DATA_ANALYST]
)
def test_who_may_book(sign_in: Any, riverside: Place, amara: Patient, role: Role) -> None:
    browser = sign_in(riverside.users[role])
    allowed = role in MATRIX["appointment"]["create"]
    assert browser.get("/appointments/book/").status_code == (200 if allowed else 403)
    assert browser.post("/appointments/book/", filled(riverside, amara)).status_code == (303 if allowed else 403)
    assert len(visits_of(riverside, amara)) == allowed


def test_nobody_books_for_another_clinic(sign_in: Any, riverside: Place, hillcrest: Place, amara: Patient) -> None:
    browser = sign_in(hillcrest.users[Role.RECEPTIONIST])
    answer = browser.post("/appointments/book/", filled(riverside, amara))
    assert answer.status_code == 422
    assert "Okafor" not in answer.text
    assert "Okafor" not in browser.get(f"/appointments/book/?patient={amara.pk}").text


def test_the_panel_stays_within_its_budget(reception: Client, riverside: Place, amara: Patient) -> None:
    address = f"/appointments/book/?patient={amara.pk}&service={riverside.services[0].pk}"

    def cost() -> int:
        with Detector().on(connection) as counter:
            assert reception.get(address).status_code == 200
        return counter.count

    one = cost()
    with clinic_scope(riverside.clinic, reason="test"):
        for number in range(15):
            book(riverside, at(riverside, 1, 8 + number // 3, number % 3 * 20))
    assert cost() == one <= MOST
