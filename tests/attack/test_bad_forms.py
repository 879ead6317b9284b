"""Every field of every form on every page: unstorable, too long, of a wrong kind, of another clinic. Never a 500, nothing lost."""

import pytest
from django.test import Client

from core.accounts.roles import Role
from tests.factories.cases import filled
from tests.factories.page_forms import PageForm, forms_of
from tests.factories.routes import Route, routes
from tests.factories.world import World

pytestmark = pytest.mark.thorough

PAGES = [route for route in routes("page", methods=("GET",)) if not route.path.startswith("/drafts/")]
NOT_TYPED = {"csrfmiddlewaretoken", "idempotency_key"}
LEFT_ALONE = ("/sign-out/", "/switch-clinic/", "/patients/search/")  # on every page; the last is tried from /patients/
BAD = {
    "NUL": "a\x00b",
    "too long": "x" * 20_000,
    "no number, date or id": "neither-nor",
    "another clinic's id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "every script": "😀 שלום مرحبا 田中 <b>&amp;</b> '\"",
}


def by_id(route: Route) -> str:
    return route.path


def client_for(world: World) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(world.riverside.users[Role.CLINIC_ADMIN])
    return client


def forms_on(client: Client, route: Route, world: World) -> list[PageForm]:
    address = filled(route, world.riverside)
    page = client.get(address)
    if page.status_code != 200:
        pytest.skip("answers POST, or sends elsewhere")
    found = {}
    for form in forms_of(page.content.decode(), address):
        if form.action not in LEFT_ALONE or route.path == "/patients/":
            found[form.action, *sorted(form.values)] = form
    return list(found.values())


@pytest.mark.parametrize("route", PAGES, ids=by_id)
def test_no_field_of_a_form_brings_the_page_down(route: Route, world: World) -> None:
    client = client_for(world)
    for form in forms_on(client, route, world):
        for name in form.values:
            if name in NOT_TYPED:
                continue
            for kind, value in BAD.items():
                sent = form.sent_with(name, value)
                sent.pop("idempotency_key", None)
                answer = client.post(form.action, sent)
                assert answer.status_code < 500, f"{form.action}: {name} with {kind} answers {answer.status_code}"


@pytest.mark.parametrize("route", PAGES, ids=by_id)
def test_a_form_with_every_field_wrong_is_answered(route: Route, world: World) -> None:
    client = client_for(world)
    for form in forms_on(client, route, world):
        for value in BAD.values():
            sent = {name: value for name in form.values if name not in NOT_TYPED}
            assert client.post(form.action, sent).status_code < 500, f"{form.action} with {value[:20]!r} everywhere"
        assert client.post(form.action, {}).status_code < 500


def test_registering_names_every_wrong_field_at_once_and_keeps_what_was_typed(world: World) -> None:
    client = client_for(world)
    sent = {
        "given_name": "a\x00b", "family_name": "", "date_of_birth": "2999-01-01", "sex": "none", "email": "nowhere",
        "phone": "12", "notes": "Kept exactly as typed",
    }  # fmt: skip
    answer = client.post("/patients/register/", sent)
    assert answer.status_code == 422
    wrong = set(answer.context["form"].errors)
    assert wrong >= {"given_name", "family_name", "date_of_birth", "sex", "email", "phone"}
    assert b"Kept exactly as typed" in answer.content
