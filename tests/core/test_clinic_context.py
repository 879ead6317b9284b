"""Where the clinic of a request comes from, and who may be in it."""

from typing import Any

import pytest
from django.test import Client

from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.accounts.tokens import issue
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import World


@pytest.fixture
def locum(world: World) -> User:
    """Somebody who works in both clinics."""
    user = User.objects.create_user("locum@hms.test", PASSWORD, full_name="Lo Cum")
    for place, role in ((world.riverside, Role.DOCTOR), (world.hillcrest, Role.NURSE)):
        with clinic_scope(place.clinic, reason="test"):
            Membership.objects.create(clinic=place.clinic, user=user, roles=[role])
    return user


def clinic_of(answer: Any) -> str | None:
    found = answer.json()["data"]["clinic"]
    return found and found["slug"]


@pytest.mark.parametrize(
    ("header", "query", "claim", "host", "expected"),
    [
        ("riverside", "hillcrest", "hillcrest", "hillcrest.127.0.0.1", "riverside"),
        (None, "riverside", "hillcrest", "hillcrest.127.0.0.1", "riverside"),
        (None, None, "riverside", "hillcrest.127.0.0.1", "riverside"),
        (None, None, None, "riverside.127.0.0.1", "riverside"),
        (None, None, None, None, None),
    ],
)
def test_the_order_of_sources(
    world: World,
    locum: User,
    settings: Any,
    header: str | None,
    query: str | None,
    claim: str | None,
    host: str | None,
    expected: str | None,
) -> None:
    settings.ALLOWED_HOSTS = [".127.0.0.1", "testserver"]
    clinic_id = getattr(world, claim).clinic.pk if claim else None
    headers = {"Authorization": f"Bearer {issue(locum, clinic_id=clinic_id).access}"}
    if header:
        headers["X-Clinic-ID"] = header
    client = Client(headers=headers)
    answer = client.get("/api/v2/auth/me", {"clinic_id": query} if query else {}, SERVER_NAME=host or "testserver")
    assert clinic_of(answer) == expected


@pytest.mark.parametrize("name", ["clinic_id", "clinic%5Fid", "%63linic_id"])
def test_the_query_names_the_clinic_however_it_is_spelt(name: str, locum: User, world: World) -> None:
    client = Client(headers={"Authorization": f"Bearer {issue(locum, clinic_id=world.hillcrest.clinic.pk).access}"})
    assert clinic_of(client.get(f"/api/v2/auth/me?{name}=riverside")) == "riverside"


def test_the_session_remembers_the_clinic_that_was_chosen(world: World, locum: User) -> None:
    client = Client()
    client.force_login(locum)
    for place in (world.riverside, world.hillcrest):
        client.post("/switch-clinic/", {"clinic": str(place.clinic.pk)})
        assert clinic_of(client.get("/api/v2/auth/me")) == place.clinic.slug


def test_the_only_membership_needs_no_words(world: World) -> None:
    assert clinic_of(ApiClient(world.riverside.users[Role.DOCTOR]).get("auth/me")) == "riverside"


@pytest.mark.parametrize("said", ["hillcrest", "nowhere", "00000000-0000-7000-8000-000000000000", "o'neill's -- practice"])
def test_a_clinic_that_is_not_ones_own_is_refused(world: World, said: str) -> None:
    answer = ApiClient(world.riverside.users[Role.DOCTOR]).get("locations", X_Clinic_ID=said)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AUTHORIZATION_ERROR")


def test_somebody_of_two_clinics_must_say_which(locum: User) -> None:
    answer = ApiClient(locum).get("locations")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["code"] == "clinic_required"


def test_somebody_of_no_clinic_learns_so(world: World) -> None:
    assert ApiClient(world.nobody).get("auth/me").json()["data"]["memberships"] == []
    assert ApiClient(world.nobody).get("locations").status_code in (400, 403)


def test_switching_to_a_foreign_clinic_is_refused(world: World) -> None:
    client = Client()
    client.force_login(world.riverside.users[Role.DOCTOR])
    assert client.post("/switch-clinic/", {"clinic": str(world.hillcrest.clinic.pk)}).status_code == 404


def test_a_platform_role_enters_the_clinic_it_names(world: World) -> None:
    answer = ApiClient(world.platform[Role.SUPER_ADMIN]).get("auth/me", X_Clinic_ID="hillcrest")
    assert clinic_of(answer) == "hillcrest"


def test_a_suspended_clinic_is_closed_to_its_people(world: World) -> None:
    Clinic.objects.filter(pk=world.riverside.clinic.pk).update(state=Clinic.State.SUSPENDED)
    answer = ApiClient(world.riverside.users[Role.DOCTOR]).get("locations", X_Clinic_ID="riverside")
    assert answer.status_code == 403
