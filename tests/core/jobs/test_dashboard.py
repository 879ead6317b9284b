"""The dashboard of jobs: what it tells, to whom, and its buttons; and /queue/metrics."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from core.accounts.actor import Actor
from core.accounts.roles import MATRIX, Role
from core.database.detector import Detector
from core.errors import NotAllowed
from core.jobs import overview
from core.jobs.models import Job, State
from core.jobs.overview import JobFilter, jobs_overview
from core.tenancy.models import Clinic
from tests.factories.world import Place, World

DASHBOARD = "/queue-dashboard/"
PIECE = {"HX-Request": "true"}


def job(clinic: Clinic | None, state: State, **fields: Any) -> Job:
    now = timezone.now()
    given: dict[str, Any] = {"kind": "cache.warm", "queue": "cache", "workers": "bulk", "priority": 3, "attempts_allowed": 2}
    if state == State.RUNNING:
        given |= {"claim": uuid4(), "lease_until": now + timedelta(hours=1), "started_at": now, "attempts": 1}
    if state in (State.FAILED, State.DEAD, State.SUCCEEDED):
        given |= {"started_at": now - timedelta(seconds=2), "finished_at": now, "attempts": 2}
    return Job.objects.create(state=state, in_clinic=clinic and clinic.pk, **(given | fields))


def found(actor: Actor, **only: str) -> Any:
    return jobs_overview(actor=actor, only=JobFilter(**only))


def ids(one: overview.JobList) -> set[Any]:
    return {row.job.pk for row in one.rows}


# --- What it tells ---------------------------------------------------------------------------------------------------------
def test_a_clinic_s_administrator_sees_the_clinic_s_and_the_platform_all(world: World) -> None:
    here, there, nobodys = (job(clinic, State.DEAD) for clinic in (world.riverside.clinic, world.hillcrest.clinic, None))
    assert ids(found(world.riverside.actor(Role.CLINIC_ADMIN)).dead_letters) == {here.pk}
    user = world.platform[Role.SUPPORT]
    platform = Actor(user.pk, user.full_name, world.riverside.clinic.pk, frozenset({Role.SUPPORT}))
    dead = found(platform).dead_letters
    assert ids(dead) == {here.pk, there.pk, nobodys.pk}
    assert {row.clinic_name for row in dead.rows} == {"Riverside Practice", "Hillcrest Clinic", ""}
    with pytest.raises(NotAllowed):
        found(world.riverside.actor(Role.NURSE))


def test_lists_and_figures_follow_the_filter(riverside: Place) -> None:
    actor, clinic = riverside.actor(Role.CLINIC_ADMIN), riverside.clinic
    running = job(clinic, State.RUNNING, progress=40)
    other = {"kind": "keys.follow_marks", "queue": "privacy"}
    waiting = job(clinic, State.RETRYING, run_at=timezone.now() - timedelta(minutes=3), **other)
    dead = job(clinic, State.FAILED, **other)
    job(clinic, State.SUCCEEDED)
    seen = found(actor)
    assert [ids(one) for one in (seen.running, seen.waiting, seen.dead_letters)] == [{running.pk}, {waiting.pk}, {dead.pk}]
    total = seen.total
    assert (total.running, total.waiting, total.dead_letters, total.succeeded, total.failed) == (1, 1, 1, 1, 1)
    assert (total.failure_rate, total.oldest_s >= 180) == (0.5, True)
    assert [[one.queue for one in kind.queues] for kind in seen.classes] == [["cache", "privacy"]]
    only = found(actor, queue="cache")
    assert [ids(one) for one in (only.running, only.waiting, only.dead_letters)] == [{running.pk}, set(), set()]
    assert (only.total.running, only.total.dead_letters) == (1, 0)
    assert ids(found(actor, kind="keys.follow_marks").dead_letters) == {dead.pk}
    assert JobFilter.read("no such queue", "no.such.kind") == JobFilter()


def test_a_long_list_says_how_much_more_there_is_and_costs_the_same(riverside: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "SHOWN", 3)
    actor, costs = riverside.actor(Role.CLINIC_ADMIN), []
    for count in (1, 5):
        for _ in range(count):
            job(riverside.clinic, State.DEAD)
        with Detector().on(connection) as counted:
            dead = found(actor).dead_letters
        costs.append(counted.count)
    assert (len(dead.rows), dead.more, dead.count) == (3, 3, 6)
    assert costs == [8, 8]


# --- The page --------------------------------------------------------------------------------------------------------------
def test_the_page_shows_progress_causes_and_buttons(sign_in: Any, riverside: Place) -> None:
    job(riverside.clinic, State.RUNNING, progress=40, sentence="1 of 3", kind="keys.follow_marks", queue="privacy")
    dead = job(riverside.clinic, State.DEAD, cause="ValueError at core/x.py:3")
    browser = sign_in(riverside.users[Role.CLINIC_ADMIN])
    page = browser.get(DASHBOARD).text
    for shown in ('value="40"', "1 of 3", "ValueError at core/x.py:3", f'id="retry-{dead.pk}"', "Encrypting protected fields"):
        assert shown in page
    piece = browser.get(f"{DASHBOARD}?queue=cache", headers=PIECE).text
    assert "<html" not in piece and 'data-poll="/queue-dashboard/?queue=cache"' in piece and "keys.follow_marks" not in piece
    assert 'href="/queue-dashboard/"' in browser.get("/settings/").text


def test_support_looks_and_changes_nothing(sign_in: Any, world: World) -> None:
    dead, live = job(world.riverside.clinic, State.DEAD), job(world.riverside.clinic, State.QUEUED)
    browser = sign_in(world.platform[Role.SUPPORT], world.riverside.clinic)
    page = browser.get(DASHBOARD).text
    assert dead.kind in page and "/retry/" not in page and "/cancel/" not in page and "/retry-all/" not in page
    for path in (f"jobs/{dead.pk}/retry/", f"jobs/{live.pk}/cancel/", "retry-all/"):
        assert browser.post(DASHBOARD + path).status_code == 403


def test_retry_cancel_and_retry_all_keep_the_filter(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.CLINIC_ADMIN])
    one, two, other = (job(riverside.clinic, State.DEAD, queue=queue) for queue in ("cache", "cache", "reports"))
    live = job(riverside.clinic, State.QUEUED)
    answer = browser.post(f"{DASHBOARD}jobs/{one.pk}/retry/", {"queue": "cache"})
    assert (answer.status_code, answer["Location"]) == (303, f"{DASHBOARD}?queue=cache")
    piece = browser.post(f"{DASHBOARD}jobs/{live.pk}/cancel/", {"queue": "cache"}, headers=PIECE)
    assert piece.status_code == 200 and "The job is cancelled" in piece.text and 'id="jobs"' in piece.text
    browser.post(f"{DASHBOARD}retry-all/", {"queue": "cache"})
    states = {row.pk: row.state for row in Job.objects.all()}
    assert [states[row.pk] for row in (one, two, other, live)] == [State.QUEUED, State.QUEUED, State.DEAD, State.CANCELLED]
    assert browser.post(f"{DASHBOARD}jobs/{live.pk}/cancel/").status_code == 409


def test_another_clinic_s_can_t_be_touched(sign_in: Any, riverside: Place, hillcrest: Place) -> None:
    dead, live = job(riverside.clinic, State.DEAD), job(riverside.clinic, State.QUEUED)
    browser = sign_in(hillcrest.users[Role.CLINIC_ADMIN])
    assert browser.post(f"{DASHBOARD}jobs/{dead.pk}/retry/").status_code == 404
    assert browser.post(f"{DASHBOARD}jobs/{live.pk}/cancel/").status_code == 404
    browser.post(f"{DASHBOARD}retry-all/")
    assert {row.state for row in Job.objects.all()} == {State.DEAD, State.QUEUED}
    assert str(dead.pk) not in browser.get(DASHBOARD).text


def test_the_platform_tries_again_what_is_of_no_clinic(sign_in: Any, world: World) -> None:
    dead = job(None, State.DEAD, kind="uploads.sweep", queue="maintenance")
    browser = sign_in(world.platform[Role.SYSTEM_ADMIN], world.riverside.clinic)
    assert browser.post(f"{DASHBOARD}jobs/{dead.pk}/retry/").status_code == 303
    dead.refresh_from_db()
    assert dead.state == State.QUEUED


# --- Addresses of the source documents -------------------------------------------------------------------------------------
def test_both_addresses_lead_where_they_promise(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.CLINIC_ADMIN])
    assert "<h1>Jobs</h1>" in browser.get("/queue-dashboard", follow=True).text
    job(riverside.clinic, State.QUEUED)
    rows = {row["queue"]: row for row in browser.get("/queue/metrics").json()["queues"]}
    assert (rows["cache"]["waiting"], rows["cache"]["workers"], rows["cache"]["failure_rate"]) == (1, "bulk", 0)


@pytest.mark.parametrize("role", sorted(MATRIX["clinic"]["view"] - {Role.SUPER_ADMIN, Role.SYSTEM_ADMIN, Role.SUPPORT}))
def test_others_see_neither(role: Role, sign_in: Any, riverside: Place) -> None:
    browser, wanted = sign_in(riverside.users[role]), 200 if role == Role.CLINIC_ADMIN else 403
    assert [browser.get(path).status_code for path in (DASHBOARD, "/queue/metrics")] == [wanted, wanted]
