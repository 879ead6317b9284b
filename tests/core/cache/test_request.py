"""A request's own look-ups come from the cache, and what takes a right away takes it away for the next request."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.test import Client

from core.accounts.auth_sessions import Kind, begin_session
from core.accounts.known import known_session
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.cache.process import cache, ears, generations
from core.cache.seen import NOBODY
from core.database.roles import connection_apart
from core.tenancy.context import Scope, clinic_scope, platform_scope, unit_of_work
from core.tenancy.models import Clinic
from tests.factories.api_client import ApiClient
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place

ME = "/api/v2/auth/me"


class Caller:
    """Somebody who asks who they are; every request on connections of its own."""

    def __init__(self, user: User, kind: str) -> None:
        self.client: Any = apart(lambda: ApiClient(user) if kind == "token" else self._signed_in(user))[0]

    def _signed_in(self, user: User) -> Client:
        client = Client()
        with unit_of_work(Scope(reason="test")):  # as the sign-in page does it
            client.force_login(user)
        return client

    def ask(self) -> Any:
        return apart(lambda: self.client.get(ME))[0]

    def warmed(self) -> "Caller":
        """Once the listener has heard of the sign-in too (it may repeat what the writer has made stale)."""
        assert self.ask().status_code == 200
        eventually(lambda: '"0 queries", cache;desc=hit' in self.ask()["Server-Timing"])
        return self


def committed(change: Callable[[], Any]) -> None:
    def work() -> None:
        with platform_scope(reason="test"):
            change()

    apart(work)


@pytest.fixture
def doctor(riverside: Place, listening: None) -> Iterator[User]:
    user = riverside.users[Role.DOCTOR]
    membership = riverside.memberships[Role.DOCTOR]
    password = user.password
    yield user

    def restore() -> None:
        User.objects.filter(pk=user.pk).update(password=password, is_active=True, full_name=user.full_name)
        Membership.objects.filter(pk=membership.pk).update(state=Membership.State.ACTIVE, roles=[Role.DOCTOR])
        Clinic.objects.filter(pk=riverside.clinic.pk).update(state=Clinic.State.ACTIVE)
        Session.objects.all().delete()

    committed(restore)
    with connection_apart("hms_maintenance") as connection:
        connection.execute("DELETE FROM core_authsession WHERE user_id = %s", [user.pk])


@pytest.fixture(params=["session", "token"])
def caller(request: pytest.FixtureRequest, doctor: User) -> Caller:
    return Caller(doctor, request.param).warmed()


def test_a_request_answered_from_the_cache_does_not_touch_the_database(caller: Caller, doctor: User) -> None:
    data = caller.ask().json()["data"]
    assert (data["id"], data["email"]) == (str(doctor.pk), doctor.email)
    assert [one["roles"] for one in data["memberships"]] == [["DOCTOR"]]


def test_a_new_password_ends_sessions_and_tokens(caller: Caller, doctor: User) -> None:
    def change() -> None:
        user = User.objects.get(pk=doctor.pk)
        user.set_password("Another-Horse-2027")
        user.save(update_fields=["password"])

    committed(change)
    assert caller.ask().status_code == 401


def test_a_closed_account_is_closed_at_once(caller: Caller, doctor: User) -> None:
    committed(lambda: User.objects.filter(pk=doctor.pk).update(is_active=False))
    assert caller.ask().status_code == 401
    committed(lambda: User.objects.filter(pk=doctor.pk).update(is_active=True))
    assert Caller(doctor, "token").ask().status_code == 200


def test_who_has_left_a_clinic_is_out(caller: Caller, doctor: User, riverside: Place) -> None:
    def leave() -> None:
        with clinic_scope(riverside.clinic, reason="test"):
            Membership.objects.filter(user=doctor).update(state=Membership.State.LEFT)

    apart(leave)
    data = caller.ask().json()["data"]
    assert (data["memberships"], data["clinic"]) == ([], None)


def test_a_role_that_was_taken_is_gone(caller: Caller, doctor: User) -> None:
    committed(lambda: Membership.objects.filter(user=doctor).update(roles=[Role.AUDITOR]))
    assert [one["roles"] for one in caller.ask().json()["data"]["memberships"]] == [["AUDITOR"]]


def test_a_suspended_clinic_is_closed(caller: Caller, riverside: Place) -> None:
    committed(lambda: Clinic.objects.filter(pk=riverside.clinic.pk).update(state=Clinic.State.SUSPENDED))
    assert caller.ask().json()["data"]["clinic"] is None


def test_a_new_name_shows(caller: Caller, doctor: User) -> None:
    committed(lambda: User.objects.filter(pk=doctor.pk).update(full_name="Dr New Name"))
    assert caller.ask().json()["data"]["full_name"] == "Dr New Name"


def test_signing_out_ends_the_session_wherever_its_cookie_is(doctor: User) -> None:
    caller = Caller(doctor, "session").warmed()
    copy = Client()
    copy.cookies["hms_session"] = caller.client.cookies["hms_session"].value
    assert apart(lambda: copy.get(ME))[0].status_code == 200
    assert apart(lambda: caller.client.post("/sign-out/"))[0].status_code == 302
    assert apart(lambda: copy.get(ME))[0].status_code == 401


def test_what_a_session_holds_is_there_in_the_next_request(doctor: User) -> None:
    caller = Caller(doctor, "session").warmed()

    def put() -> str:
        session = caller.client.session
        session["note"] = "written"
        session.save()
        return str(session.session_key)

    apart(put)
    assert apart(lambda: (caller.client.session["note"], caller.client.session[SESSION_KEY])) == [("written", str(doctor.pk))]


def test_the_kept_user_is_not_the_password(doctor: User) -> None:
    session = begin_session(user=doctor, kind=Kind.BROWSER, methods=["pwd"])
    known = known_session(session.pk, doctor.pk)
    assert known
    user, _ = known
    assert {"password", "last_login"} == user.get_deferred_fields()
    assert user.check_password("wrong") is False, "who needs it fetches it"


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("0123456789abcdef.0123456789abcdef", ()),
        ("0123456789abcdef.0123456789abcdef.redis", ("redis",)),
        ("nonsense", ("memory", "redis")),
        ("0123456789abcdef.", ("memory", "redis")),
    ],
)
def test_who_has_seen_what_this_process_has_not_heard_asks_who_has(doctor: User, said: str, counts: tuple[str, ...]) -> None:
    caller = Caller(doctor, "session").warmed()
    answer = apart(lambda: caller.client.get(ME, headers={"X-HMS-Seen": said}))[0]
    expected = "hit" if ("memory" if cache.shared is None else "redis") in counts else "miss"
    assert f"cache;desc={expected}" in answer["Server-Timing"]


def test_a_writer_is_told_what_to_say_elsewhere_and_whether_redis_knows(doctor: User) -> None:
    caller = Caller(doctor, "session").warmed()
    answer = apart(lambda: caller.client.post("/sign-out/"))[0]
    machine, mark, *redis = answer.cookies["hms_seen"].value.split(".")
    assert (machine, answer.cookies["hms_seen"]["max-age"]) == (generations.machine, 5)
    assert redis == ([] if cache.shared is None else ["redis"])
    eventually(lambda: mark in (ears.heard if cache.shared is None else ears.told))


def test_who_wrote_on_two_machines_is_waited_for_on_both(doctor: User) -> None:
    """The newer mark follows the older one, so whoever has heard it has heard both."""
    caller = Caller(doctor, "session").warmed()
    elsewhere = "0123456789abcdef.0123456789abcdef"
    answer = apart(lambda: caller.client.post("/sign-out/", headers={"X-HMS-Seen": elsewhere}))[0]
    machine, _, *redis = answer.cookies["hms_seen"].value.split(".")
    assert (machine, redis) == (NOBODY, []), "what Redis knows of the newer one says nothing of the older"
