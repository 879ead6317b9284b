"""Scheduling through the API, as an integrator sees it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from appointments.models import Appointment, AppointmentChange, Claim
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.api_client import ApiClient
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place


@pytest.fixture
def desk(riverside: Place) -> ApiClient:
    return ApiClient(riverside.users[Role.RECEPTIONIST])


@pytest.fixture
def boss(riverside: Place) -> ApiClient:
    return ApiClient(riverside.users[Role.CLINIC_ADMIN])


def new_patient(place: Place, **fields: Any) -> str:
    with clinic_scope(place.clinic, reason="test"):
        return str(make_patient(**fields).pk)


def wish(place: Place, **changes: Any) -> dict[str, Any]:
    body = {
        "service": str(place.services[0].pk),
        "provider": str(place.providers[0].pk),
        "start": at(place, 1, 9).isoformat(),
        **changes,
    }
    if "patient" not in body:
        body["patient"] = new_patient(place)
    return body


def wrong_fields(response: Any) -> dict[str, str]:
    assert response.status_code == 400, response.json()
    return {detail["field"]: detail["code"] for detail in response.json()["error"]["details"]}


def test_a_start_without_its_offset_is_refused(desk: ApiClient, riverside: Place) -> None:
    naive = at(riverside, 1, 9).replace(tzinfo=None).isoformat()
    assert wrong_fields(desk.post("appointments", wish(riverside, start=naive))) == {"start": "invalid"}
    visit = desk.post("appointments", wish(riverside)).json()["data"]
    assert wrong_fields(desk.post(f"appointments/{visit['id']}/reschedule", {"start": naive})) == {"start": "invalid"}


def test_all_times_are_written_alike(desk: ApiClient, riverside: Place) -> None:
    body = wish(riverside)
    made = desk.post("appointments", body).json()["data"]
    again = desk.post("appointments", wish(riverside)).json()["error"]["alternatives"]
    day = at(riverside, 1, 9).date()
    working = desk.get(f"providers/{body['provider']}/availability?from={day}&to={day}").json()["data"]
    offsets = {moment[19:] for moment in (made["start"], again[0]["start"], working[0]["start"], working[0]["free"][0]["end"])}
    assert len(offsets) == 1 and offsets != {"+00:00"}


def test_a_visit_from_slot_to_done(desk: ApiClient, riverside: Place) -> None:
    day = at(riverside, 1, 9).date()
    slots = desk.get(f"slots?service={riverside.services[0].pk}&from={day}&to={day}&provider={riverside.providers[1].pk}")
    assert slots.status_code == 200, slots.json()
    slot = slots.json()["data"][3]
    body = wish(
        riverside, start=slot["start"], provider=slot["provider"]["id"], location=slot["location"]["id"], room=slot["room"]["id"]
    )
    made = desk.post("appointments", body)
    assert made.status_code == 201, made.json()
    visit = made.json()["data"]
    assert visit["status"] == "confirmed"
    assert visit["source"] == "api"
    assert (visit["start"], visit["room"]) == (slot["start"], slot["room"])
    again = desk.get(f"slots?service={riverside.services[0].pk}&from={day}&to={day}&provider={riverside.providers[1].pk}")
    assert slot["start"] not in [one["start"] for one in again.json()["data"]]
    for step, status in (("check-in", "checked_in"), ("start", "in_progress"), ("complete", "completed")):
        answer = desk.post(f"appointments/{visit['id']}/{step}")
        assert (answer.status_code, answer.json()["data"]["status"]) == (200, status)
    history = desk.get(f"appointments/{visit['id']}/history").json()["data"]
    assert [line["to_status"] for line in history] == ["confirmed", "checked_in", "in_progress", "completed"]
    assert history[0]["actor"] == riverside.users[Role.RECEPTIONIST].full_name


def test_a_taken_slot_is_a_conflict_with_alternatives_that_can_be_booked(desk: ApiClient, riverside: Place) -> None:
    assert desk.post("appointments", wish(riverside)).status_code == 201
    refused = desk.post("appointments", wish(riverside))
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["code"] == "CONFLICT"
    assert [detail["code"] for detail in error["details"]] == ["provider_taken"]
    assert len(error["alternatives"]) >= 3
    for offer in error["alternatives"]:
        body = wish(
            riverside,
            start=offer["start"],
            provider=offer["provider"]["id"],
            location=offer["location"]["id"],
            room=offer["room"]["id"],
        )
        assert desk.post("appointments", body).status_code in (201, 409)
    first = error["alternatives"][0]
    with clinic_scope(riverside.clinic, reason="test"):
        assert Appointment.objects.filter(start=first["start"], provider=first["provider"]["id"]).count() == 1


def test_outside_of_hours_is_a_conflict(desk: ApiClient, riverside: Place) -> None:
    refused = desk.post("appointments", wish(riverside, start=at(riverside, 1, 17, 50).isoformat()))
    assert refused.status_code == 409
    assert refused.json()["error"]["details"][0]["code"] == "outside_hours"
    assert len(refused.json()["error"]["alternatives"]) >= 3


def test_every_wrong_field_is_named_at_once(desk: ApiClient, riverside: Place, hillcrest: Place) -> None:
    foreign = {
        "patient": new_patient(hillcrest),
        "service": str(hillcrest.services[0].pk),
        "provider": str(hillcrest.providers[0].pk),
        "location": str(hillcrest.locations[0].pk),
        "room": str(hillcrest.rooms[0].pk),
        "start": (timezone.now() - timedelta(hours=1)).isoformat(),
    }
    found = wrong_fields(desk.post("appointments", foreign))
    assert found == dict.fromkeys(foreign, "not_found") | {"start": "in_past"}
    unknown = {name: str(uuid4()) for name in ("patient", "service", "provider", "location", "room")}
    assert wrong_fields(desk.post("appointments", {**foreign, **unknown})) == found


def test_wrong_types_and_wrong_records_are_named_together(desk: ApiClient, riverside: Place, hillcrest: Place) -> None:
    body = {
        "patient": "nobody",
        "service": str(hillcrest.services[0].pk),
        "start": "2020-01-01T00:00:00Z",
        "notes": 5,
        "mood": "good",
    }
    assert wrong_fields(desk.post("appointments", body)) == {
        "patient": "invalid",
        "service": "not_found",
        "provider": "required",
        "start": "in_past",
        "notes": "invalid",
        "mood": "unknown_field",
    }


BAD = {
    "patient": ["", None, 7, "x", "\x00", [], {}],
    "service": [None, "not-an-id", True],
    "provider": [None, "🙂"],
    "location": ["nowhere", 1],
    "room": ["\u202eroom"],
    "start": [
        "",
        None,
        "tomorrow",
        17,
        "2026-13-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-01-01",
    ],
    "notes": ["x" * 2001, None, 5, "a\x00b", "\ud800"],
    "source": ["", "carrier pigeon", None],
    "is_urgent": ["perhaps", None],
    "surprise": ["what is this"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BAD.items() for value in values])
def test_bad_input_is_named_and_nothing_is_written(desk: ApiClient, riverside: Place, field: str, value: Any) -> None:
    body = wish(riverside, notes="fine") | {field: value}
    assert list(wrong_fields(desk.post("appointments", body))) == [field]
    with clinic_scope(riverside.clinic, reason="test"):
        assert not Appointment.objects.exists()
        assert not Claim.objects.exists()
        assert not AppointmentChange.objects.exists()


@pytest.mark.parametrize("text", ["🙂 émoji", "שלום \u202etxt", "<script>alert(1)</script>", "  spaces  ", "\u200b"])
def test_text_comes_back_exactly_as_it_was_sent(desk: ApiClient, riverside: Place, text: str) -> None:
    made = desk.post("appointments", wish(riverside, notes=text))
    assert made.json()["data"]["notes"] == text
    assert desk.get(f"appointments/{made.json()['data']['id']}").json()["data"]["notes"] == text


@pytest.mark.parametrize("status", ["inactive", "deceased", "merged"])
def test_a_patient_who_is_not_active_cannot_be_booked(desk: ApiClient, riverside: Place, status: str) -> None:
    body = wish(riverside, patient=new_patient(riverside, status=status))
    assert wrong_fields(desk.post("appointments", body)) == {"patient": "not_active"}


def test_a_stale_version_is_refused(desk: ApiClient, riverside: Place) -> None:
    made = desk.post("appointments", wish(riverside))
    visit, tag = made.json()["data"], made["ETag"]
    changed = desk.patch(f"appointments/{visit['id']}", {"notes": "first"}, If_Match=tag)
    assert (changed.status_code, changed.json()["data"]["notes"], changed.json()["data"]["version"]) == (200, "first", 2)
    assert desk.patch(f"appointments/{visit['id']}", {"notes": "second"}, If_Match=tag).status_code == 412
    assert desk.post(f"appointments/{visit['id']}/check-in", {}, If_Match=tag).status_code == 412
    assert desk.post(f"appointments/{visit['id']}/check-in", {}, If_Match=changed["ETag"]).status_code == 200


def test_a_move_keeps_the_visit(desk: ApiClient, riverside: Place) -> None:
    visit = desk.post("appointments", wish(riverside)).json()["data"]
    body = {"start": at(riverside, 1, 9, 10).isoformat(), "provider": str(riverside.providers[2].pk), "reason": "asked for"}
    moved = desk.post(f"appointments/{visit['id']}/reschedule", body)
    assert moved.status_code == 200, moved.json()
    assert moved.json()["data"]["id"] == visit["id"]
    assert moved.json()["data"]["provider"]["id"] == body["provider"]
    assert desk.post("appointments", wish(riverside)).status_code == 201  # the old time is free again
    taken = desk.post(
        f"appointments/{visit['id']}/reschedule", {"start": body["start"], "provider": str(riverside.providers[0].pk)}
    )
    assert taken.status_code == 409
    assert len(taken.json()["error"]["alternatives"]) >= 3
    assert desk.get(f"appointments/{visit['id']}").json()["data"]["provider"]["id"] == body["provider"]


@pytest.mark.parametrize(
    "call",
    [
        ("GET", ""), ("PATCH", ""), ("POST", "/confirm"), ("POST", "/check-in"), ("POST", "/start"), ("POST", "/complete"),
        ("POST", "/cancel"), ("POST", "/no-show"), ("POST", "/undo"), ("POST", "/reschedule"), ("GET", "/history"),
    ],
)  # fmt: skip
def test_another_clinics_visit_is_not_there(riverside: Place, hillcrest: Place, call: tuple[str, str]) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, at(riverside, 1, 9))
    stranger = ApiClient(hillcrest.users[Role.RECEPTIONIST])
    method, path = call
    body = {"PATCH": {"notes": "x"}, "POST": {}, "GET": None}[method]
    if path == "/reschedule":
        body = {"start": at(hillcrest, 1, 10).isoformat()}
    missing = stranger.request(method, f"appointments/{uuid4()}{path}", body)
    answer = stranger.request(method, f"appointments/{visit.pk}{path}", body)
    assert answer.status_code == missing.status_code == 404
    assert answer.json()["error"]["message"] == missing.json()["error"]["message"]


def test_a_member_with_a_location_sees_and_books_only_there(riverside: Place) -> None:
    membership = riverside.memberships[Role.RECEPTIONIST]
    with clinic_scope(riverside.clinic, reason="test"):
        visit = book(riverside, at(riverside, 1, 9))
        type(membership).objects.filter(pk=membership.pk).update(location_ids=[riverside.locations[1].pk])
    desk = ApiClient(riverside.users[Role.RECEPTIONIST])
    assert desk.get(f"appointments/{visit.pk}").status_code == 404
    assert desk.get("appointments").json()["data"] == []
    assert desk.post("appointments", wish(riverside, start=at(riverside, 1, 11).isoformat())).status_code == 409
    found = wrong_fields(desk.post("appointments", wish(riverside, location=str(riverside.locations[0].pk))))
    assert found == {"location": "not_found"}


def test_lists_are_filtered(desk: ApiClient, riverside: Place) -> None:
    with clinic_scope(riverside.clinic, reason="test"):
        visits = [book(riverside, at(riverside, 1 + n, 9), provider_id=riverside.providers[n].pk) for n in range(3)]
    for query, expected in {
        "": visits,
        f"provider={riverside.providers[1].pk}": visits[1:2],
        f"patient={visits[2].patient_id}": visits[2:],
        f"location={riverside.locations[1].pk}": [],
        "status=confirmed,cancelled": visits,
        "status=completed": [],
        f"from={visits[1].local_day}": visits[1:],
        f"to={visits[1].local_day}": visits[:2],
        f"from={visits[1].start.isoformat().replace('+', '%2B')}": visits[1:],
    }.items():
        answer = desk.get(f"appointments?{query}")
        assert answer.status_code == 200, answer.json()
        assert [row["id"] for row in answer.json()["data"]] == [str(visit.pk) for visit in expected], query
    newest = desk.get("appointments?ordering=-start").json()["data"]
    assert [row["id"] for row in newest] == [str(visit.pk) for visit in reversed(visits)]


@pytest.mark.parametrize(
    "query", ["provider=x", "status=gone", "from=yesterday", "to=2026-02-30", "from=2026-01-01T00:00:00", "colour=red", "limit=0"]
)
def test_bad_filters_are_refused(desk: ApiClient, query: str) -> None:
    answer = desk.get(f"appointments?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == query.split("=")[0]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", {"service"}),
        ("service=x&from=today&to=0000-01-01&provider=1&location=2", {"service", "from", "to", "provider", "location"}),
        ("service={foreign_service}&provider={foreign_provider}&location={foreign_location}", {"service", "provider", "location"}),
        ("service={service}&from=2026-01-02&to=2026-01-01", {"to"}),
        ("service={service}&from=2026-01-01&to=2027-01-01", {"to"}),
        ("service={service}&from=0001-01-01&to=9999-12-31", {"from", "to"}),
    ],
)
def test_bad_questions_for_slots(desk: ApiClient, riverside: Place, hillcrest: Place, query: str, fields: set[str]) -> None:
    text = query.format(
        service=riverside.services[0].pk,
        foreign_service=hillcrest.services[0].pk,
        foreign_provider=hillcrest.providers[0].pk,
        foreign_location=hillcrest.locations[0].pk,
    )
    assert set(wrong_fields(desk.get(f"slots?{text}"))) == fields


@pytest.mark.parametrize(
    ("price", "fields"),
    [
        ({"amuont": "20.00", "currency": "GBP"}, {"price.amuont": "unknown_field", "price.amount": "required"}),
        ({"amount": "20.00", "tax": "4.00"}, {"price.tax": "unknown_field"}),
        ({"currency": "GBP"}, {"price.amount": "required"}),
        ({}, {"price.amount": "required"}),
        ({"amount": "x"}, {"price.amount": "invalid"}),
        ({"amount": "20.00", "currency": "EUR"}, {"price.currency": "wrong_currency"}),
    ],
)
def test_a_price_that_is_none_is_refused(boss: ApiClient, riverside: Place, price: dict[str, str], fields: dict[str, str]) -> None:
    path = f"services/{riverside.services[0].pk}"
    before = boss.get(path).json()["data"]["price"]
    assert wrong_fields(boss.patch(path, {"price": price})) == fields
    assert boss.get(path).json()["data"]["price"] == before
    assert boss.patch(path, {"price": {"amount": "20.00"}}).json()["data"]["price"] == {"amount": "20.00", "currency": "GBP"}


@pytest.mark.parametrize("path", ["slots?service={service}&", "providers/{provider}/availability?"])
def test_too_many_days_are_refused_before_anything_is_looked_up(
    desk: ApiClient, riverside: Place, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("appointments.api.availability.free_time_tags", lambda *days: asked.append(days) or [])
    path = path.format(service=riverside.services[0].pk, provider=riverside.providers[0].pk)
    assert wrong_fields(desk.get(f"{path}from=1971-01-01&to=2200-01-01")) == {"to": "too_far"}
    assert asked == []


def test_a_providers_availability(desk: ApiClient, riverside: Place, hillcrest: Place) -> None:
    start = at(riverside, 1, 9)
    with clinic_scope(riverside.clinic, reason="test"):
        book(riverside, start)
    answer = desk.get(f"providers/{riverside.providers[0].pk}/availability?from={start.date()}&to={start.date()}")
    assert answer.status_code == 200, answer.json()
    (shift,) = answer.json()["data"]
    assert [(part["start"][11:16], part["end"][11:16]) for part in shift["free"]] == [("08:00", "09:00"), ("09:20", "18:00")]
    assert desk.get(f"providers/{hillcrest.providers[0].pk}/availability").status_code == 404
