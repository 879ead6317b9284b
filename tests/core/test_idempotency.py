"""A repeated unsafe request does nothing twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from clinics.models import Location
from core.accounts.roles import Role
from core.idempotency.models import IdempotencyRecord
from core.tenancy.context import clinic_scope
from tests.factories.api_client import ApiClient, committed_client
from tests.factories.threads import apart
from tests.factories.world import Place

BODY = {"name": "Idempotent House"}


def count(place: Place) -> int:
    with clinic_scope(place.clinic, reason="test"):
        return Location.objects.filter(name__startswith="Idempotent").count()


def admin(place: Place) -> ApiClient:
    return ApiClient(place.users[Role.CLINIC_ADMIN])


def test_a_repeat_gets_the_first_answer(riverside: Place) -> None:
    first = admin(riverside).post("locations", BODY, Idempotency_Key="key-00000001")
    again = admin(riverside).post("locations", BODY, Idempotency_Key="key-00000001")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert count(riverside) == 1


def test_another_body_under_the_same_key_is_a_conflict(riverside: Place) -> None:
    admin(riverside).post("locations", BODY, Idempotency_Key="key-00000002")
    other = admin(riverside).post("locations", {"name": "Idempotent Other"}, Idempotency_Key="key-00000002")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "CONFLICT")


def test_a_refused_request_is_not_kept(riverside: Place) -> None:
    assert admin(riverside).post("locations", {"name": ""}, Idempotency_Key="key-00000003").status_code == 400
    assert admin(riverside).post("locations", BODY, Idempotency_Key="key-00000003").status_code == 201


@pytest.mark.parametrize("key", ["short", "x" * 129, "with space here", "schlüssel-1234"])
def test_a_malformed_key_is_refused(riverside: Place, key: str) -> None:
    answer = admin(riverside).post("locations", BODY, Idempotency_Key=key)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "Idempotency-Key"


def test_two_people_may_use_the_same_key(riverside: Place, hillcrest: Place) -> None:
    for place in (riverside, hillcrest):
        assert admin(place).post("locations", BODY, Idempotency_Key="key-00000004").status_code == 201


def test_after_a_day_a_key_is_new_again(riverside: Place) -> None:
    admin(riverside).post("locations", BODY, Idempotency_Key="key-00000005")
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.CLINIC_ADMIN].pk, reason="test"):
        IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
    second = admin(riverside).post("locations", {"name": "Idempotent Two"}, Idempotency_Key="key-00000005")
    assert second.status_code == 201


def test_the_kept_answer_is_encrypted(riverside: Place) -> None:
    admin(riverside).post("locations", BODY, Idempotency_Key="key-00000006")
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.CLINIC_ADMIN].pk, reason="test"):
        kept = bytes(IdempotencyRecord.objects.get(key="key-00000006").answer)
    assert kept and b"Idempotent" not in kept


def test_the_same_page_form_sent_twice_counts_once(riverside: Place) -> None:
    client = Client()
    client.force_login(riverside.users[Role.CLINIC_ADMIN])
    form = {"clinic": str(riverside.clinic.pk), "idempotency_key": "form-00000001"}
    first, second = (client.post("/switch-clinic/", form) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert second["Idempotency-Replayed"] == "true"


def test_twins_at_the_same_moment_do_one_thing(riverside: Place) -> None:
    api = committed_client(riverside.users[Role.CLINIC_ADMIN])

    def send() -> Any:
        return api.post("locations", {"name": "Idempotent Twin"}, Idempotency_Key="key-of-the-twins")

    try:
        answers = apart(send, send, send, send)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert count(riverside) == 1
    finally:
        apart(lambda: _forget_twins(riverside))


def _forget_twins(place: Place) -> None:
    """The twins' rows are committed; locations can't be deleted by the application, so they are renamed out of the way."""
    user_id = place.users[Role.CLINIC_ADMIN].pk
    with clinic_scope(place.clinic, user_id=user_id, reason="test"):
        Location.objects.filter(name="Idempotent Twin").update(name=f"Closed {timezone.now().isoformat()}", is_active=False)
        IdempotencyRecord.objects.filter(key="key-of-the-twins").delete()
