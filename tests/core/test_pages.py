"""The foundation's own pages: sign in, choose a clinic, errors, drafts."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpResponse
from django.test import Client

from core.accounts.roles import CLINIC_ROLES, PLATFORM_ROLES, Role
from core.drafts.models import Draft
from core.drafts.services import draft_of
from core.pages.toasts import toast
from core.pages.views import styleguide
from core.responses import TITLES, error_page
from core.tenancy.context import narrowed
from tests.conftest import PASSWORD
from tests.factories.world import Place, World


@pytest.fixture
def visitor() -> Client:
    return Client()


def test_a_stranger_is_sent_to_sign_in_and_back(visitor: Client, riverside: Place) -> None:
    response = visitor.get("/choose-clinic/")
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=/choose-clinic/"
    page = visitor.get(response["Location"])
    assert 'name="next" value="/choose-clinic/"' in page.text
    response = visitor.post(
        "/sign-in/", {"email": riverside.users[Role.RECEPTIONIST].email, "password": PASSWORD, "next": "/choose-clinic/"}
    )
    assert response["Location"] == "/choose-clinic/"


@pytest.mark.parametrize("role", sorted(CLINIC_ROLES))
def test_signing_in_ends_on_a_page_for_every_role(visitor: Client, riverside: Place, role: Role) -> None:
    answer = visitor.post("/sign-in/", {"email": riverside.users[role].email, "password": PASSWORD}, follow=True)
    assert answer.status_code == 200, answer.redirect_chain
    assert visitor.get("/", follow=True).status_code == 200


@pytest.mark.parametrize("role", sorted(PLATFORM_ROLES))
def test_signing_in_ends_on_a_page_for_every_platform_role(visitor: Client, world: World, role: Role) -> None:
    answer = visitor.post("/sign-in/", {"email": world.platform[role].email, "password": PASSWORD}, follow=True)
    assert answer.status_code == 200
    assert "Where do you work now?" in answer.text
    entered = visitor.post("/switch-clinic/", {"clinic": str(world.riverside.clinic.pk), "next": "/"}, follow=True)
    assert entered.status_code == 200, entered.redirect_chain
    assert world.riverside.clinic.name in entered.text


def test_signing_in_never_leads_to_another_host(visitor: Client, riverside: Place) -> None:
    response = visitor.post(
        "/sign-in/", {"email": riverside.users[Role.DOCTOR].email, "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert response["Location"] == "/"


def test_a_wrong_password_is_told_and_the_email_kept(visitor: Client, riverside: Place) -> None:
    email = riverside.users[Role.NURSE].email
    page = visitor.post("/sign-in/", {"email": email, "password": "not it"})
    assert page.status_code == 422
    assert "E-mail or password is wrong" in page.text
    assert f'value="{email}"' in page.text
    assert "not it" not in page.text


def test_empty_fields_are_named_and_tied_to_their_errors(visitor: Client, world: World) -> None:
    page = visitor.post("/sign-in/", {})
    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.text
    assert 'aria-describedby="id_email_error"' in page.text
    assert 'id="id_email_error"' in page.text
    assert 'id="id_password_error"' in page.text


def test_the_demo_offers_its_people_and_only_the_demo(visitor: Client, world: World, settings: Any) -> None:
    assert "receptionist@riverside.demo" not in visitor.get("/sign-in/").text
    settings.HMS_DEMO = True
    page = visitor.get("/sign-in/").text
    assert "receptionist@riverside.demo" in page
    assert "demo-bar" in page


def test_somebody_of_no_clinic_is_told_what_to_do(sign_in: Any, world: World) -> None:
    page = sign_in(world.nobody).get("/choose-clinic/")
    assert page.status_code == 200
    assert "You belong to no clinic yet" in page.text


def test_a_platform_role_chooses_any_clinic(sign_in: Any, world: World) -> None:
    browser = sign_in(world.platform[Role.SUPER_ADMIN])
    page = browser.get("/choose-clinic/").text
    assert "Riverside Practice" in page
    assert "Hillcrest Clinic" in page
    assert "/admin/" in page
    browser.post("/switch-clinic/", {"clinic": str(world.hillcrest.clinic.pk)})
    assert browser.session["clinic_id"] == str(world.hillcrest.clinic.pk)


def test_nobody_enters_a_clinic_of_others(sign_in: Any, riverside: Place, hillcrest: Place) -> None:
    response = sign_in(riverside.users[Role.CLINIC_ADMIN]).post("/switch-clinic/", {"clinic": str(hillcrest.clinic.pk)})
    assert response.status_code == 404


def test_the_error_page_stands_alone(visitor: Client, world: World) -> None:
    page = visitor.get("/no-such-page/")
    assert page.status_code == 404
    assert "<h1>Not found</h1>" in page.text
    assert page["X-Request-ID"] in page.text


def test_a_draft_is_kept_replaced_and_thrown_away(sign_in: Any, in_riverside: Place) -> None:
    browser = sign_in(in_riverside.users[Role.RECEPTIONIST])
    actor = in_riverside.actor(Role.RECEPTIONIST)
    for name in ("Ama", "Amara"):
        answer = browser.post(
            "/drafts/patient-register/", {"given_name": name, "idempotency_key": f"key-of-{name}", "password": "secret"}
        )
        assert answer.status_code == 200
    with narrowed(user_id=actor.user_id):
        kept = draft_of(actor=actor, form="patient-register")
    assert kept is not None
    assert kept.values == {"given_name": ["Amara"]}
    response = browser.post("/drafts/patient-register/discard/", {"next": "/choose-clinic/"})
    assert (response.status_code, response["Location"]) == (303, "/choose-clinic/")
    with narrowed(user_id=actor.user_id):
        assert not Draft.objects.exists()


def test_a_colleague_does_not_see_my_draft(sign_in: Any, in_riverside: Place) -> None:
    sign_in(in_riverside.users[Role.RECEPTIONIST]).post("/drafts/patient-register/", {"given_name": "Amara"})
    with narrowed(user_id=in_riverside.users[Role.NURSE].pk):
        assert not Draft.objects.exists()
    with narrowed(user_id=in_riverside.users[Role.RECEPTIONIST].pk):
        assert Draft.objects.count() == 1


def test_a_draft_of_no_form_is_refused(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    assert browser.post(f"/drafts/{'x' * 101}/", {"a": "b"}).status_code == 404
    assert browser.post("/drafts/UPPER/", {"a": "b"}).status_code == 404


def test_a_piece_of_a_page_that_fails_says_so_without_replacing_anything(visitor: Client, world: World) -> None:
    answer = visitor.get("/no-such-page/", headers={"HX-Request": "true"})
    assert answer.status_code == 404
    assert answer["HX-Reswap"] == "none"
    assert "There is nothing here." in answer["HX-Trigger"]


def test_the_styleguide_shows_every_component_without_a_query(rf: Any, django_assert_num_queries: Any) -> None:
    request = rf.get("/styleguide/")
    request.user = AnonymousUser()
    with django_assert_num_queries(0):
        page = styleguide(request).text
    for shown in ("Urgent", "Long wait", "Nobody is waiting", "id_wrong-born_error", "icons.svg#language", "<dialog", "figures"):
        assert shown in page


@pytest.mark.parametrize("status", sorted(TITLES))
def test_every_error_has_a_page_that_needs_nothing(status: int, rf: Any, django_assert_num_queries: Any) -> None:
    request = rf.get("/")
    request.user, request.request_id = AnonymousUser(), "r-1"
    with django_assert_num_queries(0):
        page = error_page(request, status, "Say what to do.")
    assert page.status_code == status
    assert str(TITLES[status]) in page.text
    assert "Say what to do." in page.text


def test_a_toast_is_told_once_with_its_undo(sign_in: Any, riverside: Place, rf: Any) -> None:
    browser = sign_in(riverside.users[Role.RECEPTIONIST])
    request = rf.get("/")
    request.session = browser.session
    request._messages = SessionStorage(request)
    toast(request, "Checked in", undo_url="/appointments/undo/")
    request._messages.update(HttpResponse())
    request.session.save()
    page = browser.get("/settings/").text
    assert "Checked in" in page
    assert 'action="/appointments/undo/"' in page
    assert "Checked in" not in browser.get("/settings/").text
