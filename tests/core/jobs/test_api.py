"""Jobs through the API and in the administration, for those who may."""

from typing import Any

import pytest

from core.accounts.roles import MATRIX, Role
from core.jobs.models import Job, State
from core.jobs.services import enqueue
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World


def test_a_clinic_s_administrator_sees_the_clinic_s(riverside: Place, hillcrest: Place) -> None:
    own = str(enqueue("cache.warm", clinic=riverside.clinic))
    enqueue("cache.warm", clinic=hillcrest.clinic)
    enqueue("uploads.sweep")
    client = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    (row,) = client.get("jobs").json()["data"]
    assert (row["id"], row["status"], row["kind"], row["clinic"]) == (own, "queued", "cache.warm", str(riverside.clinic.pk))
    assert client.get(f"jobs/{own}").json()["data"] == row
    for name, count in (
        ("status=queued", 1),
        ("status=dead,failed", 0),
        ("queue=cache", 1),
        ("queue=email", 0),
        ("kind=uploads.sweep", 0),
    ):
        assert len(client.get(f"jobs?{name}").json()["data"]) == count, name
    assert client.get("jobs?status=lost").status_code == 400


def test_another_clinic_s_is_not_found(riverside: Place, hillcrest: Place) -> None:
    key = enqueue("cache.warm", clinic=riverside.clinic)
    client = ApiClient(hillcrest.users[Role.CLINIC_ADMIN])
    assert client.get(f"jobs/{key}").status_code == 404
    for step in ("cancel", "retry"):
        assert client.post(f"jobs/{key}/{step}").status_code == 404


def test_cancel_and_retry(riverside: Place) -> None:
    key, client = enqueue("cache.warm", clinic=riverside.clinic), ApiClient(riverside.users[Role.CLINIC_ADMIN])
    assert client.post(f"jobs/{key}/retry").status_code == 409
    assert client.post(f"jobs/{key}/cancel").json()["data"]["status"] == "cancelled"
    assert client.post(f"jobs/{key}/cancel").status_code == 409
    assert client.post(f"jobs/{key}/retry").json()["data"]["status"] == "queued"


@pytest.mark.parametrize("role", sorted(MATRIX["clinic"]["view"] - {Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}))
def test_others_don_t(role: Role, riverside: Place) -> None:
    key, client = enqueue("cache.warm", clinic=riverside.clinic), ApiClient(riverside.users[role])
    wanted = 200 if role == Role.CLINIC_ADMIN else 403
    assert [client.get(path).status_code for path in ("jobs", f"jobs/{key}", "jobs/stats")] == [wanted] * 3


def test_how_the_queues_stand(riverside: Place, hillcrest: Place) -> None:
    enqueue("cache.warm", clinic=riverside.clinic)
    enqueue("cache.warm", clinic=hillcrest.clinic)
    found = {row["queue"]: row for row in ApiClient(riverside.users[Role.CLINIC_ADMIN]).get("jobs/stats").json()["data"]}
    assert (found["cache"]["waiting"], found["cache"]["workers"], found["cache"]["wait_p50_s"]) == (1, "bulk", None)


def test_support_looks_and_touches_nothing(world: World) -> None:
    key = enqueue("cache.warm", clinic=world.riverside.clinic)
    client = ApiClient(world.platform[Role.SUPPORT], world.riverside.clinic)
    assert client.get(f"jobs/{key}").status_code == 200
    assert client.post(f"jobs/{key}/cancel").status_code == 403


def test_the_administration_retries_and_cancels(riverside: Place, hillcrest: Place, sign_in: Any) -> None:
    keys = [enqueue("cache.warm", clinic=riverside.clinic) for _ in range(2)]
    other = enqueue("cache.warm", clinic=hillcrest.clinic)
    Job.objects.filter(pk__in=[keys[0], other]).update(state=State.DEAD, cause="ValueError at core/tasks.py:1")
    browser = sign_in(riverside.users[Role.CLINIC_ADMIN], riverside.clinic)
    page = browser.get("/admin/core/job/").content.decode()
    assert "ValueError at core/tasks.py:1" in page and str(keys[1]) in page and str(other) not in page
    browser.post("/admin/core/job/", {"action": "try_again", "_selected_action": [*map(str, keys), str(other)]})
    assert [Job.objects.get(pk=key).state for key in (*keys, other)] == ["queued", "queued", "dead"]
    browser.post("/admin/core/job/", {"action": "cancel_jobs", "_selected_action": [*map(str, keys), str(other)]})
    assert [Job.objects.get(pk=key).state for key in (*keys, other)] == ["cancelled", "cancelled", "dead"]
