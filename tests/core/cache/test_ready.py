"""An answer that is ready goes out without its view, and is the very answer that the view would give."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from clinics.models import Location
from core.accounts.roles import Role
from core.api.answers import Answer
from core.api.renderers import AnswerResponse
from core.tenancy.context import clinic_scope
from tests.factories.api_client import committed_client
from tests.factories.cases import filled
from tests.factories.patience import eventually
from tests.factories.routes import Route, routes
from tests.factories.threads import apart
from tests.factories.world import Place

KEPT = [
    route
    for route in routes("api", methods=("GET",))
    if route.view.actions["get"] in ("list", "retrieve") and route.view.cls.kept is not None
]
OF_ONE_PERSON = ("/api/v2/clinics", "/api/v2/clinics/{id}")
OWN = ("X-Request-ID", "Server-Timing", "X-RateLimit-Remaining", "X-RateLimit-Reset")  # of each request


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute doesn't turn while a test looks."""
    monkeypatch.setattr("core.api.ready.this_minute", lambda: 1)


def is_ready(answer: Any) -> bool:
    return not isinstance(answer, AnswerResponse)


def asker(user: Any, clinic: Any = None) -> Callable[..., Any]:
    """Asks on connections of its own, so that what it reads may be kept."""
    client = committed_client(user, clinic)
    return lambda path, **headers: apart(lambda: client.get(path, **headers))[0]


def said(answer: Any) -> Any:
    headers = {name: value for name, value in answer.items() if name not in OWN}
    headers.pop("Content-Length", None)  # the request's id may have another length
    body = answer.json() if answer.content else {}
    body.get("meta", {}).pop("request_id", None)
    return answer.status_code, headers, body


def made_ready(ask: Callable[..., Any], path: str) -> None:
    """Until the view is passed by; the first answer can't be kept while the listener hears of the sign-in."""
    eventually(lambda: is_ready(ask(path)))


# With Redis the cache decides alike: its own tests show it. One level is enough to compare answers.
@pytest.mark.parametrize("listening", ["memory"], indirect=True)
@pytest.mark.parametrize("route", [one for one in KEPT if one.path not in OF_ONE_PERSON], ids=lambda route: route.id)
def test_it_says_what_the_view_says(route: Route, riverside: Place, listening: None) -> None:
    path = filled(route, riverside) + (f"?service={riverside.services[0].pk}" if route.path.endswith("/slots") else "")
    ask = asker(riverside.users[Role.CLINIC_ADMIN])
    by_view = ask(path)
    if by_view.status_code == 404:
        pytest.skip("the record is this test's alone, not committed")
    assert by_view.status_code == 200 and not is_ready(by_view)
    made_ready(ask, path)
    ready = ask(path)
    assert is_ready(ready) and said(ready) == said(by_view)
    unchanged = ask(path, If_None_Match=f"W/{ready['ETag']}")
    assert is_ready(unchanged) and (unchanged.status_code, unchanged.content) == (304, b"")
    assert "Content-Type" not in unchanged and unchanged["ETag"] == ready["ETag"]


def test_what_another_role_may_not_see_stays_refused(riverside: Place, listening: None) -> None:
    ask = asker(riverside.users[Role.CLINIC_ADMIN])
    made_ready(ask, "memberships")
    assert asker(riverside.users[Role.RECEPTIONIST])("memberships").status_code == 403
    assert asker(None)("memberships").status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("rooms?nonsense=1", {}, 400),
        ("rooms?limit=0", {}, 400),
        ("rooms?limit=5&limit=6", {}, 400),
        ("rooms", {"X_API_Version": "9.0"}, 200),  # the path says the version
        ("/api/rooms", {"X_API_Version": "9.0"}, 400),
    ],
)
def test_what_the_view_refuses_is_refused(
    path: str, headers: dict[str, str], status: int, riverside: Place, listening: None
) -> None:
    ask = asker(riverside.users[Role.CLINIC_ADMIN])
    made_ready(ask, "rooms")
    assert ask(path, **headers).status_code == status


def test_a_very_long_question_is_not_remembered(riverside: Place, listening: None) -> None:
    ask = asker(riverside.users[Role.CLINIC_ADMIN])
    path = "rooms?fields=" + "id," * 400
    first = ask(path)
    assert first.status_code == 200
    made_ready(ask, "rooms?fields=id")
    assert not is_ready(ask(path))


def test_a_change_is_seen_by_the_next_request(riverside: Place, listening: None) -> None:
    ask = asker(riverside.users[Role.CLINIC_ADMIN])
    made_ready(ask, "locations")
    location = riverside.locations[0]

    def rename(name: str) -> None:
        with clinic_scope(riverside.clinic, reason="test"):
            Location.objects.filter(pk=location.pk).update(name=name)

    for name in ("One", "Two", location.name):
        apart(lambda: rename(name))  # noqa: B023  (it runs at once)
        assert name in {row["name"] for row in ask("locations").json()["data"]}


def test_two_clinics_that_ask_the_same_get_their_own(riverside: Place, hillcrest: Place, listening: None) -> None:
    answers = []
    for place in (riverside, hillcrest):
        ask = asker(place.users[Role.CLINIC_ADMIN])
        made_ready(ask, "rooms")
        answers.append({row["id"] for row in ask("rooms").json()["data"]})
    assert all(answers) and not answers[0] & answers[1]


def test_what_is_kept_of_an_answer_takes_the_room_that_it_is_counted_as() -> None:
    """The cache's limit counts a body's bytes: a body that held on to the buffer it was written in would take a multiple."""
    data = {"given_name": "Ines", "family_name": "Marchetti", "notes": "x" * 700}
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [Answer.of(data).body for _ in range(100)]
        taken = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    finally:
        tracemalloc.stop()
    assert taken < 1.5 * len(kept[0])
