"""Settings of services, hours and holidays, through the forms."""

import re
from datetime import date, time
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from appointments.models import Holiday, Schedule, ScheduleException, Service
from appointments.services import update_service
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.page_forms import forms_of
from tests.factories.world import Place


@pytest.fixture
def admin(sign_in: Any, riverside: Place) -> Client:
    return sign_in(riverside.users[Role.CLINIC_ADMIN])


def service_form(**fields: Any) -> dict[str, Any]:
    values = {
        "name": "ECG", "description": "", "duration_minutes": "20", "buffer_before_minutes": "0", "buffer_after_minutes": "5",
        "price_amount": "48.00", "tone": "info", "room_kind": "", "reminder_hours": "48", "second_reminder_hours": "2",
        "is_active": "on",
    }  # fmt: skip
    return {**values, "idempotency_key": str(uuid4()), **fields}


def block(number: int, place: Place, **fields: Any) -> dict[str, str]:
    values = {
        "weekday": "0",
        "start_time": "",
        "end_time": "",
        "location": str(place.locations[0].pk),
        "room": "",
        "slot_minutes": "10",
    }
    return {f"blocks-{number}-{name}": value for name, value in (values | fields).items()}


def week(total: int, initial: int, *blocks: dict[str, str]) -> dict[str, str]:
    body = {"blocks-TOTAL_FORMS": str(total), "blocks-INITIAL_FORMS": str(initial), "idempotency_key": str(uuid4())}
    for one in blocks:
        body |= one
    return body


def test_a_service_is_added_and_changed(admin: Client, riverside: Place) -> None:
    provider = riverside.providers[0]
    answer = admin.post("/settings/services/new/", service_form(providers=[str(provider.pk)]))
    assert (answer.status_code, answer["Location"]) == (303, "/settings/services/")
    with clinic_scope(riverside.clinic, reason="test"):
        service = Service.objects.get(name="ECG")
        assert list(service.providers.all()) == [provider]
    page = admin.get(f"/settings/services/{service.pk}/")
    assert 'value="20"' in page.text
    sent = service_form(name="ECG, resting", is_active="") | {"read": read_of(page.text)}
    assert admin.post(f"/settings/services/{service.pk}/", sent).status_code == 303
    with clinic_scope(riverside.clinic, reason="test"):
        service.refresh_from_db()
        assert (service.name, service.is_active, service.providers.count()) == ("ECG, resting", False, 0)
    assert "Not bookable" in admin.get("/settings/services/").text


def read_of(page: str) -> str:
    """What the form says it was given."""
    return re.findall(r'name="read" value="([^"]+)"', page)[0]


def test_two_people_at_one_service(admin: Client, riverside: Place) -> None:
    service, provider = riverside.services[0], riverside.providers[0]
    where = f"/settings/services/{service.pk}/"
    (form,) = [one for one in forms_of(admin.get(where).text, where) if "read" in one.values]
    with clinic_scope(riverside.clinic, reason="test"):
        changes = {"price_amount": "50.00", "name": "Theirs"}
        offers = [provider.pk]
        update_service(actor=riverside.actor(Role.CLINIC_ADMIN), service_id=service.pk, changes=changes, offered_by=offers)
    page = admin.post(where, {**form.values, "name": "Mine", "duration_minutes": "25", "idempotency_key": str(uuid4())})
    assert page.status_code == 412 and "“45.00” became “50.00”" in page.text and "“20” becomes “25”" in page.text
    assert "<b>Theirs</b>" in page.text and "<b>Mine</b>" in page.text and f"became “{provider.name}”" in page.text
    (again,) = [one for one in forms_of(page.text, where) if "read" in one.values]
    assert admin.post(where, {**again.values, "keep-name": "mine", "idempotency_key": str(uuid4())}).status_code == 303
    with clinic_scope(riverside.clinic, reason="test"):
        service = Service.objects.get(pk=service.pk)
        assert (service.name, str(service.price_amount), service.duration_minutes) == ("Mine", "50.00", 25)
        assert list(service.providers.all()) == [provider]


def test_every_wrong_field_of_a_service_is_named(admin: Client, riverside: Place) -> None:
    wrong = service_form(
        name="", duration_minutes="1", price_amount="-1", tone="pink", providers=["x"], buffer_after_minutes="many"
    )
    answer = admin.post("/settings/services/new/", wrong)
    assert answer.status_code == 422
    for name in ("name", "duration_minutes", "price_amount", "tone", "providers", "buffer_after_minutes"):
        assert f'id="id_{name}_error"' in answer.text, name


def test_a_name_is_given_once(admin: Client, riverside: Place) -> None:
    answer = admin.post("/settings/services/new/", service_form(name=riverside.services[0].name))
    assert answer.status_code == 422


def test_a_week_is_replaced(admin: Client, riverside: Place) -> None:
    provider = riverside.providers[0]
    address = f"/settings/schedules/{provider.pk}/"
    assert 'name="blocks-6-start_time"' in admin.get(address).text
    kept = block(0, riverside, start_time="08:30", end_time="12:00")
    gone = block(1, riverside, start_time="08:00", end_time="18:00") | {"blocks-1-DELETE": "on"}
    new = block(7, riverside, weekday="5", start_time="22:00", end_time="06:00")
    others = [
        block(number, riverside, start_time="08:00", end_time="18:00") | {f"blocks-{number}-DELETE": "on"} for number in range(2, 7)
    ]
    assert admin.post(f"{address}week/", week(9, 7, kept, gone, *others, new, block(8, riverside))).status_code == 303
    with clinic_scope(riverside.clinic, reason="test"):
        rows = list(Schedule.objects.filter(provider=provider).values_list("weekday", "start_time", "end_time"))
    assert rows == [(0, time(8, 30), time(12)), (5, time(22), time(6))]


def test_wrong_hours_are_told_at_their_row_and_change_nothing(admin: Client, riverside: Place) -> None:
    provider = riverside.providers[0]
    address = f"/settings/schedules/{provider.pk}/"
    overlapping = week(
        2, 0, block(0, riverside, start_time="08:00", end_time="12:00"), block(1, riverside, start_time="11:00", end_time="13:00")
    )
    answer = admin.post(f"{address}week/", overlapping)
    assert answer.status_code == 422
    assert "other hours at this time" in answer.text
    half = admin.post(f"{address}week/", week(1, 0, block(0, riverside, start_time="08:00")))
    assert half.status_code == 422
    assert 'id="id_blocks-0-end_time_error"' in half.text
    with clinic_scope(riverside.clinic, reason="test"):
        assert Schedule.objects.filter(provider=provider).count() == 7


def test_the_address_of_a_refused_form_leads_back_to_the_form(admin: Client, riverside: Place) -> None:
    form = f"/settings/schedules/{riverside.providers[0].pk}/"
    for address, target in (
        (f"{form}week/", form),
        (f"{form}exceptions/", form),
        ("/settings/holidays/add/", "/settings/holidays/"),
    ):
        answer = admin.get(address)
        assert (answer.status_code, answer["Location"]) == (303, target)


def test_a_broken_formset_is_no_fault(admin: Client, riverside: Place) -> None:
    assert admin.post(f"/settings/schedules/{riverside.providers[0].pk}/week/", {"x": "y"}).status_code == 422


def test_leave_and_extra_hours(admin: Client, riverside: Place) -> None:
    provider = riverside.providers[0]
    address = f"/settings/schedules/{provider.pk}/exceptions/"
    assert admin.post(address, {"kind": "off", "first_day": "2030-05-01", "reason": "Course"}).status_code == 303
    wrong = admin.post(address, {"kind": "extra", "first_day": "2030-05-02", "last_day": "2030-05-01"})
    assert wrong.status_code == 422
    with clinic_scope(riverside.clinic, reason="test"):
        (row,) = ScheduleException.objects.filter(provider=provider)
    assert row.last_day == date(2030, 5, 1)
    page = admin.get(f"/settings/schedules/{provider.pk}/").text
    assert "Course" in page
    assert admin.post(f"{address}{row.pk}/remove/", {}).status_code == 303
    with clinic_scope(riverside.clinic, reason="test"):
        assert not ScheduleException.objects.exists()


def test_a_holiday_is_added_once_and_removed(admin: Client, riverside: Place) -> None:
    body = {"day": "2030-12-25", "name": "Christmas Day", "location": ""}
    assert admin.post("/settings/holidays/add/", {**body, "idempotency_key": str(uuid4())}).status_code == 303
    twice = admin.post("/settings/holidays/add/", {**body, "idempotency_key": str(uuid4())})
    assert twice.status_code == 422
    with clinic_scope(riverside.clinic, reason="test"):
        holiday = Holiday.objects.get()
    assert "Christmas Day" in admin.get("/settings/holidays/").text
    assert admin.post(f"/settings/holidays/{holiday.pk}/remove/", {}).status_code == 303


def test_staff_look_but_do_not_touch(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    provider = riverside.providers[0]
    for address in ("/settings/services/", "/settings/schedules/", f"/settings/schedules/{provider.pk}/", "/settings/holidays/"):
        page = browser.get(address)
        assert page.status_code == 200, address
        assert "Save the week" not in page.text
        assert "New service" not in page.text
    assert browser.post(f"/settings/schedules/{provider.pk}/week/", week(0, 0)).status_code == 403
    assert browser.post("/settings/holidays/add/", {"day": "2030-01-01", "name": "x"}).status_code == 403
    assert browser.get("/settings/services/new/").status_code == 403
    assert browser.post("/settings/services/new/", service_form()).status_code == 403
    assert browser.post(f"/settings/schedules/{provider.pk}/exceptions/", {}).status_code == 403


def test_another_clinics_settings_are_not_found(sign_in: Any, riverside: Place, hillcrest: Place) -> None:
    browser = sign_in(hillcrest.users[Role.CLINIC_ADMIN])
    assert browser.get(f"/settings/services/{riverside.services[0].pk}/").status_code == 404
    assert browser.get(f"/settings/schedules/{riverside.providers[0].pk}/").status_code == 404
    assert browser.post(f"/settings/schedules/{riverside.providers[0].pk}/week/", week(0, 0)).status_code == 404
