"""A page that is ready goes out without its view, to the person it was rendered for, and never when it has become another."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from core.accounts.models import User
from core.accounts.roles import Role
from core.tenancy.context import Scope, clinic_scope, unit_of_work
from patients.models import Patient
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place

pytestmark = pytest.mark.parametrize("listening", ["memory"], indirect=True)


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute doesn't turn while a test looks."""
    monkeypatch.setattr("core.pages.ready.this_minute", lambda: 1)
    monkeypatch.setattr("core.pages.fragments._minute", lambda now: 1)


def browser(user: User, place: Place) -> Callable[..., Any]:
    """Asks on connections of its own, so that what it reads may be kept."""

    def signed_in() -> Client:
        client = Client()
        with unit_of_work(Scope(reason="test")):  # as the sign-in page does it
            client.force_login(user)
            session = client.session
            session["clinic_id"] = str(place.clinic.pk)
            session.save()
        return client

    client: Client = apart(signed_in)[0]

    def ask(path: str = "/", *, cookies: dict[str, str] | None = None, **said: Any) -> Any:
        client.cookies.load(cookies or {})
        return apart(lambda: client.get(path, **said))[0]

    return ask


def is_ready(page: Any) -> bool:
    """Django's own match also says what did not match."""
    return page.status_code == 200 and page.wsgi_request.resolver_match.tried is None


def made_ready(ask: Callable[..., Any]) -> Any:
    eventually(lambda: is_ready(ask()))
    return ask()


def without_tokens(page: Any) -> str:
    text = re.sub(r'(name="(?:csrfmiddlewaretoken|idempotency_key)" value=")[^"]*', r"\1", page.text)
    return re.sub(r'"X-CSRFToken": "[^"]*"', "", text)


def test_it_is_the_page_that_the_view_sends(riverside: Place, listening: None) -> None:
    ask = browser(riverside.users[Role.RECEPTIONIST], riverside)
    by_view, ready = ask(), made_ready(ask)
    assert not is_ready(by_view)
    assert without_tokens(ready) == without_tokens(by_view)
    assert ready["Content-Type"] == by_view["Content-Type"]
    tokens = [re.search(r'"X-CSRFToken": "(\w{64})"', page.text)[1] for page in (ready, ask())]  # type: ignore[index]
    assert tokens[0] != tokens[1]


def test_each_person_is_sent_their_own(riverside: Place, listening: None) -> None:
    made_ready(browser(riverside.users[Role.RECEPTIONIST], riverside))
    boss = riverside.users[Role.CLINIC_ADMIN]
    page = browser(boss, riverside)()
    assert not is_ready(page)
    assert boss.full_name in page.text
    assert riverside.users[Role.RECEPTIONIST].full_name not in page.text


def test_what_else_a_request_says_is_looked_at(riverside: Place, listening: None) -> None:
    ask = browser(riverside.users[Role.RECEPTIONIST], riverside)
    made_ready(ask)
    assert "<html" not in ask(headers={"HX-Request": "true"}).text
    place = riverside.locations[0]
    assert f"?location={place.pk}" in ask(f"/?location={place.pk}").text
    narrow = ask(cookies={"hms_rail": "narrow"})
    assert not is_ready(narrow)
    assert "data-rail checked" in narrow.text


def test_a_change_is_on_the_next_page(riverside: Place, listening: None) -> None:
    ask = browser(riverside.users[Role.RECEPTIONIST], riverside)
    made_ready(ask)

    def touch() -> None:
        with clinic_scope(riverside.clinic, reason="test"):
            Patient.objects.filter(pk=riverside.patients[0].pk).update(city="Elsewhere")

    apart(touch)
    assert not is_ready(ask())
