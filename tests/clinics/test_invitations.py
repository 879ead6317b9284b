"""Inviting people, joining, and leaving."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from clinics.models import Invitation
from clinics.services import accept_invitation, change_place_of_work, invite, withdraw_invitation
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.errors import NotAllowed, NotFound, ValidationFailed
from core.tenancy.context import clinic_scope
from tests.clinics.test_services import refused
from tests.conftest import PASSWORD
from tests.factories.world import Place, World

NEW = "ada.moss@example.org"
GOOD = "Seven-Quiet-Owls-1"


def link_in(letter: Any) -> str:
    """The path of the link that a letter has."""
    return re.search(r"http://[^/\s]+(/join/\S+)", letter.text)[1]  # type: ignore[index]


def invited(place: Place, letters: list[Any], email: str = NEW, **more: Any) -> str:
    """Somebody is invited; returns the path of their link."""
    invite(actor=place.actor(Role.CLINIC_ADMIN), email=email, **{"roles": [Role.NURSE], **more})
    return link_in(letters[-1])


def test_somebody_new_joins_by_the_link(in_riverside: Place, letters: list[Any], client: Client) -> None:
    place = {"location_ids": [in_riverside.locations[0].pk], "department_id": str(in_riverside.providers[0].department_id)}
    link = invited(in_riverside, letters, full_name="Ada Moss", **place)
    assert in_riverside.clinic.name in letters[-1].subject
    page = client.get(link).text
    assert NEW in page and in_riverside.clinic.name in page and "Ada Moss" in page
    answer = client.post(link, {"full_name": "Ada M. Moss", "password": GOOD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/").status_code == 200
    user = User.objects.get(email=NEW)
    membership = Membership.objects.get(user=user)
    assert (user.full_name, membership.roles, membership.state) == ("Ada M. Moss", [Role.NURSE], Membership.State.ACTIVE)
    assert (membership.location_ids, str(membership.department_id)) == (place["location_ids"], place["department_id"])
    assert client.get(link).status_code == 404, "the link counts once"


def test_a_wrong_field_of_the_new_account_is_named_and_nothing_is_lost(
    in_riverside: Place, letters: list[Any], client: Client
) -> None:
    link = invited(in_riverside, letters)
    answer = client.post(link, {"full_name": "Ada Moss", "password": "Tiny-Bird"})
    assert answer.status_code == 422
    assert "Ada Moss" in answer.text and "12 characters" in answer.text and "Tiny-Bird" not in answer.text
    assert not User.objects.filter(email=NEW).exists()


def test_who_has_an_account_joins_with_its_password(world: World, in_riverside: Place, letters: list[Any], client: Client) -> None:
    doctor = world.hillcrest.users[Role.DOCTOR]
    link = invited(in_riverside, letters, email=doctor.email.upper())
    page = client.get(link).text
    assert "You have an account" in page and "Your name" not in page
    assert client.post(link, {"password": "wrong"}).status_code == 422
    assert not Membership.objects.filter(user=doctor, clinic=in_riverside.clinic).exists()
    assert client.post(link, {"password": PASSWORD}).status_code == 302
    with clinic_scope(in_riverside.clinic, reason="test"):
        assert Membership.objects.get(user=doctor, clinic=in_riverside.clinic).roles == [Role.NURSE]
    assert in_riverside.clinic.name in client.get("/").text


def test_who_is_signed_in_needs_no_password(world: World, in_riverside: Place, letters: list[Any], sign_in: Any) -> None:
    doctor = world.hillcrest.users[Role.DOCTOR]
    link = invited(in_riverside, letters, email=doctor.email)
    browser = sign_in(doctor)
    assert 'type="password"' not in browser.get(link).text
    assert browser.post(link).status_code == 302
    assert in_riverside.clinic.name in browser.get("/").text


def test_nobody_joins_as_somebody_else(world: World, in_riverside: Place, letters: list[Any], sign_in: Any) -> None:
    """The link of one is opened in the browser of another: the other one's account gets nothing."""
    other = world.hillcrest.users[Role.NURSE]
    link = invited(in_riverside, letters)
    browser = sign_in(other)
    assert "Somebody else is signed in" in browser.get(link).text
    assert browser.post(link, {"full_name": "Ada Moss", "password": GOOD}).status_code == 302
    with clinic_scope(in_riverside.clinic, reason="test"):
        assert list(Membership.objects.filter(roles=[Role.NURSE]).values_list("user__email", flat=True)).count(NEW) == 1
        assert not Membership.objects.filter(user=other, clinic=in_riverside.clinic).exists()
    secret = invite_secret(in_riverside, letters)
    with pytest.raises(NotAllowed):
        accept_invitation(secret=secret, user=other)


def invite_secret(place: Place, letters: list[Any]) -> str:
    from clinics.services.invitations import opened_link

    return opened_link(invited(place, letters, email="someone.else@example.org").split("/")[2])[1]


def test_links_end(in_riverside: Place, letters: list[Any], client: Client) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    old = invited(in_riverside, letters)
    new = invited(in_riverside, letters)
    assert [client.get(link).status_code for link in (old, new)] == [404, 200], "a second invitation takes the first one's place"
    invitation = Invitation.objects.unanswered().get()
    withdraw_invitation(actor=actor, invitation_id=invitation.pk)
    assert client.get(new).status_code == 404
    late = invited(in_riverside, letters)
    Invitation.objects.unanswered().update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(late).status_code == 404
    assert client.post(late, {"full_name": "Ada Moss", "password": GOOD}).status_code == 404
    assert client.get(late[:-3] + "xx/").status_code == 404
    assert client.get("/join/nonsense/").status_code == 404
    assert not User.objects.filter(email=NEW).exists()


def test_what_is_wrong_with_it_is_named(in_riverside: Place, hillcrest: Place, letters: list[Any], settings: Any) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    with pytest.raises(ValidationFailed) as error:
        invite(
            actor=actor, email="nobody", roles=["SUPER_ADMIN"], location_ids=[hillcrest.locations[0].pk], department_id="x",
        )  # fmt: skip
    assert refused(error) == {
        "email": "invalid", "roles": "invalid", "location_ids": "does_not_exist", "department_id": "does_not_exist",
    }  # fmt: skip
    with pytest.raises(ValidationFailed) as error:
        invite(actor=actor, email=in_riverside.users[Role.NURSE].email, roles=[Role.NURSE])
    assert refused(error) == {"email": "already_member"}
    settings.MAILERS = {}
    with pytest.raises(ValidationFailed) as error:
        invite(actor=actor, email=NEW, roles=[Role.NURSE])
    assert refused(error) == {"email": "no_mail"}
    assert letters == []


@pytest.mark.parametrize("role", [Role.RECEPTIONIST, Role.DOCTOR, Role.AUDITOR])
def test_only_administrators_invite(role: Role, in_riverside: Place, letters: list[Any]) -> None:
    with pytest.raises(NotAllowed):
        invite(actor=in_riverside.actor(role), email=NEW, roles=[Role.NURSE])


def test_who_leaves_has_no_access_at_once_and_their_records_stay(in_riverside: Place, sign_in: Any) -> None:
    browser = sign_in(in_riverside.users[Role.RECEPTIONIST])
    assert browser.get("/patients/").status_code == 200
    membership = in_riverside.memberships[Role.RECEPTIONIST]
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    change_place_of_work(actor=actor, membership_id=membership.pk, changes={"state": "left"})
    assert "Main street" not in browser.get("/settings/places/").text
    assert browser.get(f"/patients/{in_riverside.patients[0].pk}/").text.count(in_riverside.patients[0].family_name) == 0
    assert User.objects.filter(pk=membership.user_id, is_active=True).exists()
    change_place_of_work(actor=actor, membership_id=membership.pk, changes={"state": "active"})
    assert browser.get("/patients/").status_code == 200


def test_who_left_comes_back_by_an_invitation(in_riverside: Place, letters: list[Any], client: Client) -> None:
    nurse = in_riverside.memberships[Role.NURSE]
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    change_place_of_work(actor=actor, membership_id=nurse.pk, changes={"state": "left"})
    link = invited(in_riverside, letters, email=in_riverside.users[Role.NURSE].email, roles=[Role.AUDITOR])
    assert client.post(link, {"password": PASSWORD}).status_code == 302
    now = Membership.objects.get(pk=nurse.pk)  # the world's own is everybody's
    assert (now.state, now.roles) == ("active", [Role.AUDITOR])


def test_places_of_work_are_this_clinics(in_riverside: Place, hillcrest: Place) -> None:
    actor = in_riverside.actor(Role.CLINIC_ADMIN)
    nurse, theirs = in_riverside.memberships[Role.NURSE], hillcrest.memberships[Role.NURSE]
    for changes, wrong in (
        ({"location_ids": [hillcrest.locations[0].pk]}, "location_ids"),
        ({"roles": []}, "roles"),
        ({"state": "gone"}, "state"),
    ):
        with pytest.raises(ValidationFailed) as error:
            change_place_of_work(actor=actor, membership_id=nurse.pk, changes=changes)
        assert list(refused(error)) == [wrong]
    with pytest.raises(NotFound):
        change_place_of_work(actor=actor, membership_id=theirs.pk, changes={"roles": [Role.NURSE]})
    changed = change_place_of_work(
        actor=actor, membership_id=nurse.pk, changes={"location_ids": [str(in_riverside.locations[1].pk)]}
    )
    assert (changed.location_ids, changed.roles) == ([in_riverside.locations[1].pk], [Role.NURSE])


def test_a_patient_is_invited_like_everybody(in_riverside: Place, letters: list[Any], sign_in: Any, client: Client) -> None:
    desk = sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    assert desk.post("/settings/people/invite/", {"email": NEW, "roles": ["PATIENT"]}).status_code == 303
    answer = client.post(link_in(letters[-1]), {"full_name": "Ada Moss", "password": GOOD})
    assert (answer.status_code, client.get(answer["Location"], follow=True).status_code) == (302, 200)
    assert Membership.objects.get(user__email=NEW).roles == [Role.PATIENT]
    assert client.get("/patients/").status_code == 403
