"""Sessions: one row for each browser and program, ended by whoever may, refused from the next request on."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from core.accounts import auth_sessions, services
from core.accounts.auth_sessions import AuthSession, Ended, Kind, begin_session, end_sessions, sessions_of
from core.accounts.entry import stay
from core.accounts.models import User
from core.accounts.roles import Role
from core.database.retention import outdated
from core.database.roles import connection_apart
from core.pages.agents import agent_name
from core.tenancy.context import person_scope, platform_scope
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    assert client.post("/sign-in/", {"email": user.email, "password": PASSWORD}).status_code == 302
    return client


def rows(user: User) -> list[AuthSession]:
    with person_scope(user.pk, reason="test"):
        return list(AuthSession.objects.filter(user=user).order_by("began"))


def listed(client: ApiClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("auth/sessions").json()["data"]
    return found


def is_signed_in(client: Client) -> bool:
    return client.get("/account/sessions/").status_code == 200


@pytest.fixture
def nurse(riverside: Place) -> User:
    return riverside.users[Role.NURSE]


def test_a_sign_in_says_where_from_and_with_what(nurse: User) -> None:
    signed_in(nurse, **{"user-agent": FIREFOX})
    (session,) = rows(nurse)
    assert (session.kind, session.methods, session.address, session.user_agent) == ("browser", ["pwd"], "127.0.0.1", FIREFOX)
    assert session.expires == session.began + auth_sessions.BROWSER_LIFE


def test_signing_in_again_in_the_same_browser_replaces_and_signing_out_ends(nurse: User) -> None:
    client = signed_in(nurse)
    client.post("/sign-in/", {"email": nurse.email, "password": PASSWORD})
    assert [one.ended_reason for one in rows(nurse)] == [Ended.REPLACED, ""]
    client.post("/sign-out/")
    assert [one.ended_reason for one in rows(nurse)] == [Ended.REPLACED, Ended.SIGNED_OUT]
    assert not is_signed_in(client)


def test_an_ended_session_is_refused_and_the_browsers_data_thrown_away(nurse: User) -> None:
    client = signed_in(nurse)
    assert is_signed_in(client)
    with person_scope(nurse.pk, reason="test"):
        AuthSession.objects.filter(user=nurse).end(Ended.BY_OPERATOR)
    assert client.get("/account/sessions/")["Location"].startswith("/sign-in/")
    assert SESSION_KEY not in client.session


def test_a_browser_whose_session_names_none_of_ours_is_not_signed_in(nurse: User) -> None:
    client = signed_in(nurse)
    session = client.session
    del session["auth_session"]
    session.save()
    assert not is_signed_in(client)


def test_the_browsers_session_ends_when_ours_does(nurse: User) -> None:
    client = signed_in(nurse)
    (session,) = rows(nurse)
    assert abs((client.session.get_expiry_date() - session.expires).total_seconds()) < 1
    with person_scope(nurse.pk, reason="test"):
        AuthSession.objects.filter(user=nurse).update(expires=timezone.now())
    assert not is_signed_in(client)


@pytest.mark.parametrize("how", ["password", "closed"])
def test_an_administrator_ends_all_by_a_new_password_or_by_closing(nurse: User, how: str, world: World) -> None:
    admin = world.platform[Role.SUPER_ADMIN]
    browser, program = signed_in(nurse), ApiClient(nurse)
    actor = services.Actor(admin.pk, "Admin", None, frozenset({Role.SUPER_ADMIN}))
    if how == "password":
        services.set_password(actor=actor, user_id=nurse.pk, password="Another-Horse-2026")
    else:
        services.change_user(actor=actor, user_id=nurse.pk, changes={"is_active": False})
    assert not is_signed_in(browser)
    assert program.get("auth/me").status_code == 401
    assert {(one.ended_reason, one.ended_by) for one in rows(nurse)} == {(how, admin.pk)}


def test_a_password_changed_behind_our_back_ends_all_too(nurse: User) -> None:
    browser = signed_in(nurse)
    changed = User.objects.get(pk=nurse.pk)
    changed.set_password("Another-Horse-2026")
    changed.save()
    assert not is_signed_in(browser)
    with person_scope(nurse.pk, reason="test"):
        assert not sessions_of(changed).exists()


def test_whoever_changes_the_own_password_stays_in_this_browser_alone(nurse: User) -> None:
    here, there = signed_in(nurse), signed_in(nurse)
    request: Any = here.get("/account/sessions/").wsgi_request
    changed = User.objects.get(pk=nurse.pk)
    changed.set_password("Another-Horse-2026")
    changed.save()
    request.session = here.session
    stay(request, changed)
    request.session.save()
    here._set_login_cookies(request)  # type: ignore[attr-defined]
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_when_it_was_used_is_noted_every_five_minutes(nurse: User) -> None:
    client = signed_in(nurse)
    for minutes, noted in ((4, False), (6, True)):
        before = timezone.now() - timedelta(minutes=minutes)
        with person_scope(nurse.pk, reason="test"):
            AuthSession.objects.filter(user=nurse).update(last_seen=before)
        assert is_signed_in(client)
        (session,) = rows(nurse)
        assert (session.last_seen > before) == noted


def test_one_sees_and_ends_ones_own_through_the_api(riverside: Place, nurse: User) -> None:
    mine, other = ApiClient(nurse), ApiClient(nurse)
    doctors = ApiClient(riverside.users[Role.DOCTOR])
    found = listed(mine)
    assert [one["current"] for one in found].count(True) == 1
    assert set(found[0]) == {"id", "kind", "current", "began", "last_seen", "expires", "address", "user_agent", "methods"}
    theirs = next(one["id"] for one in found if not one["current"])
    assert doctors.delete(f"auth/sessions/{theirs}").status_code == 404
    assert mine.delete(f"auth/sessions/{theirs}").status_code == 204
    assert mine.delete(f"auth/sessions/{theirs}").status_code == 404
    assert other.get("auth/me").status_code == 401
    assert mine.delete("auth/sessions/nonsense").status_code == 404
    assert len(listed(mine)) == 1


def test_signing_out_by_the_api_ends_the_tokens(nurse: User) -> None:
    pair = ApiClient().post("auth/token", {"email": nurse.email, "password": PASSWORD}).json()["data"]
    headers = {"Authorization": f"Bearer {pair['access']}"}
    assert ApiClient().post("auth/logout", **headers).status_code == 204
    assert ApiClient().post("auth/logout", **headers).status_code == 401
    assert ApiClient().post("auth/token/refresh", {"refresh": pair["refresh"]}).status_code == 401
    assert [one.ended_reason for one in rows(nurse)] == [Ended.SIGNED_OUT]


def test_signing_out_by_the_api_in_a_browser(nurse: User) -> None:
    client = signed_in(nurse)
    assert client.post("/api/v2/auth/logout").status_code == 204
    assert not is_signed_in(client)


def test_the_page_ends_one_and_all_others(nurse: User) -> None:
    here, there, third = (signed_in(nurse, **{"user-agent": FIREFOX}) for _ in range(3))
    text = here.get("/account/sessions/").content.decode()
    assert text.count("Firefox, Linux") >= 3 and "This one" in text
    second = rows(nurse)[1]
    assert here.post("/account/sessions/", {"session": str(second.pk)}).status_code == 303
    assert (is_signed_in(there), is_signed_in(third)) == (False, True)
    assert here.post("/account/sessions/", {"others": "1"}).status_code == 303
    assert (is_signed_in(here), is_signed_in(third)) == (True, False)


def test_the_page_ends_this_one(nurse: User) -> None:
    client = signed_in(nurse)
    (session,) = rows(nurse)
    answer = client.post("/account/sessions/", {"session": str(session.pk), "idempotency_key": "once-and-never-again"})
    assert (answer.status_code, answer["Location"]) == (303, "/sign-in/")
    assert not is_signed_in(client)


@pytest.mark.parametrize("said", ["", "nonsense", "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_the_page_ends_nothing_else(nurse: User, riverside: Place, said: str) -> None:
    client, doctor = signed_in(nurse), riverside.users[Role.DOCTOR]
    signed_in(doctor)
    for wrong in (said, str(rows(doctor)[0].pk)):
        assert client.post("/account/sessions/", {"session": wrong}).status_code == 404
    assert [one.ended_at for one in rows(doctor)] == [None]


def test_somebody_of_no_clinic_has_sessions_too(world: World) -> None:
    for user in (world.nobody, world.platform[Role.SUPPORT]):
        assert is_signed_in(signed_in(user))


def test_more_than_a_hundred_programs_end_the_oldest(nurse: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_sessions, "LIVE_AT_MOST", 3)
    browser = signed_in(nurse)
    first, *others = [ApiClient(nurse) for _ in range(4)]
    assert first.get("auth/me").status_code == 401
    assert {one.get("auth/me").status_code for one in others} == {200}
    assert is_signed_in(browser)
    assert [one.ended_reason for one in rows(nurse)].count(Ended.TOO_MANY) == 1


def test_an_operator_ends_a_session_in_the_administration(world: World, nurse: User) -> None:
    operator = signed_in(world.platform[Role.SYSTEM_ADMIN])
    with platform_scope(reason="test"):
        session = begin_session(user=nurse, kind=Kind.BROWSER, methods=["pwd"])
    address = "/admin/core/authsession/"
    assert nurse.email in operator.get(address).content.decode()
    shown = operator.get(f"{address}{session.pk}/change/").content.decode()
    assert nurse.email in shown and session.password_mark not in shown
    operator.post(address, {"action": "end", "_selected_action": [str(session.pk)]})
    with platform_scope(reason="test"):
        session.refresh_from_db()
    assert (session.ended_reason, session.ended_by) == (Ended.BY_OPERATOR, world.platform[Role.SYSTEM_ADMIN].pk)


def test_support_sees_sessions_and_ends_none(world: World, nurse: User) -> None:
    support = signed_in(world.platform[Role.SUPPORT])
    with platform_scope(reason="test"):
        session = begin_session(user=nurse, kind=Kind.BROWSER, methods=["pwd"])
    support.post("/admin/core/authsession/", {"action": "end", "_selected_action": [str(session.pk)]})
    with platform_scope(reason="test"):
        session.refresh_from_db()
    assert session.ended_at is None


def test_sessions_are_kept_a_month_after_their_end(nurse: User) -> None:
    with connection_apart("hms_maintenance") as connection:
        connection.autocommit = False
        for days in (29, 31):
            when = timezone.now() - timedelta(days=days)
            connection.execute(
                "INSERT INTO core_authsession (id, user_id, kind, began, last_seen, expires, ended_reason, user_agent, address, "
                "methods, password_mark, refresh_digest, previous_digest) "
                "VALUES (gen_random_uuid(), %s, 'browser', %s, %s, %s, '', '', '', '{}', '', '', '')",
                [nurse.pk, when, when, when],
            )
        found = [why for _, what, why in outdated(connection) if what == "old rows of core_authsession"]
        assert found == ["1 rows older than 30 days"]
        connection.rollback()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        (
            "Mozilla/5.0 (iPhone; iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 something new", ""),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_what_browsers_are_called(said: str, shown: str) -> None:
    assert agent_name(said) == shown


def test_ending_all_but_one_counts(nurse: User) -> None:
    first, *_ = [begin_session(user=nurse, kind=Kind.PROGRAM, methods=["pwd"]) for _ in range(3)]
    assert end_sessions(nurse, why=Ended.BY_PERSON, except_=first.pk) == 2
    assert auth_sessions.BROWSER_LIFE.total_seconds() == settings.SESSION_COOKIE_AGE
    call_command("check", verbosity=0)
