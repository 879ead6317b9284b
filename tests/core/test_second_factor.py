"""The second step of signing in: app, code that is sent, recovery code, by page and by API; who must have one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.accounts import proofs, throttle
from core.accounts.auth_sessions import Kind as SessionKind
from core.accounts.auth_sessions import begin_session
from core.accounts.factors import app, codes, recovery, services
from core.accounts.factors.known import factors_of
from core.accounts.factors.models import OneTimeCode, SecondFactor
from core.accounts.factors.sign_in import SECOND_STEP, counted_as
from core.accounts.models import User
from core.accounts.roles import Role
from core.cache.process import memory
from core.errors import NotAllowed
from core.messaging.models import Channel, OutgoingMessage
from core.pages.passwords import _tokens
from core.security.crypto import Undecipherable
from core.tenancy.context import Scope, clinic_scope, platform_scope, unit_of_work
from core.tenancy.models import Clinic
from tests.conftest import PASSWORD
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World

SECOND = "/sign-in/second/"
SECURITY = "/account/security/"


@contextmanager
def scope() -> Iterator[None]:
    with unit_of_work(Scope(reason="test")):
        yield


@pytest.fixture(autouse=True)
def letters_can_be_sent(settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


@pytest.fixture
def nurse(riverside: Place) -> User:
    return riverside.users[Role.NURSE]


@pytest.fixture
def key(nurse: User) -> str:
    """The nurse has an authenticator app with this key; its present code is still good."""
    made = app.new_key()
    with scope():
        services.add_app(user=nurse, key=made, code=app.code_at(made, now() - 1))
    return made


@pytest.fixture
def phone(nurse: User, settings: Any) -> str:
    """The nurse gets codes by text message, else by e-mail."""
    settings.HMS_MESSAGE_GATEWAYS = {"sms": "http://127.0.0.1:9/", "whatsapp": ""}
    with scope():
        services.add_code(user=nurse, channels=[Channel.SMS], phone="+442079460018")
    return "+442079460018"


def now() -> int:
    return int(timezone.now().timestamp()) // app.STEP


def with_password(user: User, **more: Any) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/sign-in/", {"email": user.email, "password": PASSWORD, **more})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def last_message() -> OutgoingMessage:
    with platform_scope(reason="test"):
        return OutgoingMessage.objects.latest("created_at")


def sent_code() -> str:
    found = re.search(r"\b(\d{6})\b", last_message().text)
    assert found
    return found[1]


def api_error(answer: Any) -> tuple[int, list[str]]:
    return answer.status_code, [one["code"] for one in answer.json()["error"]["details"]]


# --- The parts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "seconds,code", [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")]
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    """Appendix B, SHA-1, the last six of its eight digits."""
    assert app.code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", seconds // 30) == code


def test_an_app_s_clock_may_be_wrong_by_one_step_and_no_code_is_good_twice() -> None:
    key = app.new_key()
    assert [app.counter_of(key, app.code_at(key, now() + off)) is not None for off in (-2, -1, 0, 1, 2)] in (
        [False, True, True, True, False],
        [False, False, True, True, True],  # a step began meanwhile
        [True, True, True, False, False],
    )
    counter = app.counter_of(key, app.code_at(key, now()))
    assert counter is not None
    assert app.counter_of(key, app.code_at(key, counter), after=counter) is None


def test_recovery_codes_differ_and_are_read_as_people_write_them() -> None:
    made = recovery.new_codes()
    assert len(set(made)) == recovery.COUNT
    assert recovery.digest(made[0]) == recovery.digest(made[0].upper().replace("-", " "))
    assert recovery.digest(made[0]) != recovery.digest(made[1])


def test_the_qr_code_says_whom_and_the_key() -> None:
    address = app.address("ABC", account="a b@c.de", issuer="HMS")
    assert address == "otpauth://totp/HMS%3Aa%20b%40c.de?secret=ABC&issuer=HMS"
    side, path = app.qr_path(address)
    assert side > 30
    assert path.startswith("M4 4h1v1h-1z")


def test_a_secret_moved_to_another_person_can_t_be_read(nurse: User, key: str, riverside: Place) -> None:
    (factor,) = [one for one in _factors(nurse) if one.kind == "app"]
    assert factor.secret == {"key": key}
    factor.user = riverside.users[Role.DOCTOR]
    with pytest.raises(Undecipherable):
        _ = factor.secret


def _factors(user: User) -> list[SecondFactor]:
    with scope():
        return factors_of(user)


def test_nobody_sees_another_person_s_factors(nurse: User, key: str, riverside: Place) -> None:
    with unit_of_work(Scope(user_id=riverside.users[Role.DOCTOR].pk, clinic_id=riverside.clinic.pk, reason="test")):
        assert not SecondFactor.objects.exists()
    with unit_of_work(Scope(user_id=nurse.pk, reason="test")):
        assert SecondFactor.objects.count() == 1


# --- Pages ----------------------------------------------------------------------------------------------------------------
def test_the_password_alone_lets_nobody_in_who_has_an_app(nurse: User, key: str) -> None:
    client, answer = with_password(nurse, next="/patients/")
    assert (answer.status_code, answer["Location"]) == (302, SECOND)
    assert not is_in(client)
    assert client.get("/patients/").status_code == 302
    wrong = client.post(SECOND, {"code": "000000"})
    assert wrong.status_code == 422
    assert "This code is wrong or has expired." in wrong.text
    assert not is_in(client)
    right = client.post(SECOND, {"code": app.code_at(key, now())})
    assert (right.status_code, right["Location"]) == (302, "/patients/")
    assert is_in(client)


def test_a_code_of_the_app_is_good_once(nurse: User, key: str) -> None:
    code = app.code_at(key, now())
    for let_in in (True, False):
        client, _ = with_password(nurse)
        client.post(SECOND, {"code": code})
        assert is_in(client) is let_in


def test_a_recovery_code_is_good_once(nurse: User, key: str) -> None:
    with scope():
        made = services.new_recovery_codes(user=nurse)
    for let_in in (True, False):
        client, _ = with_password(nurse)
        client.post(SECOND, {"code": made[3].upper()})
        assert is_in(client) is let_in


def test_a_code_is_sent_by_the_phone_with_e_mail_as_last_resort(nurse: User, phone: str) -> None:
    client, answer = with_password(nurse)
    assert answer["Location"] == SECOND
    message = last_message()
    assert (message.kind, message.channels) == ("code", ["sms", "email"])
    code = sent_code()
    assert code in message.text
    client.post(SECOND, {"code": f"{code[:3]} {code[3:]}"})
    assert is_in(client)
    with platform_scope(reason="test"):
        assert not OneTimeCode.objects.exists()


def test_another_code_makes_the_first_one_worthless(nurse: User, phone: str) -> None:
    client, _ = with_password(nurse)
    first = sent_code()
    assert client.post("/sign-in/second/code/").status_code == 303
    second = sent_code()
    assert first != second
    client.post(SECOND, {"code": first})
    assert not is_in(client)
    client.post(SECOND, {"code": second})
    assert is_in(client)


def test_whoever_asks_the_api_in_somebody_s_name_spoils_no_code_of_the_page(nurse: User, phone: str) -> None:
    client, _ = with_password(nurse)
    code = sent_code()
    for _ in range(codes.TRIES):
        assert ApiClient().post("auth/otp/request", {"identifier": nurse.email, "channel": "sms"}).status_code == 200
        ApiClient().post("auth/otp/verify", {"identifier": nurse.email, "code": "1"})
    client.post(SECOND, {"code": sent_code()})
    assert not is_in(client), "what the API sent is for the API"
    client.post(SECOND, {"code": code})
    assert is_in(client)


def test_an_expired_code_and_one_tried_too_often_are_worthless(nurse: User, phone: str) -> None:
    client, _ = with_password(nurse)
    code = sent_code()
    with platform_scope(reason="test"):
        OneTimeCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    client.post(SECOND, {"code": code})
    assert not is_in(client)
    client.post("/sign-in/second/code/")
    code = sent_code()
    for _ in range(codes.TRIES):
        assert codes.is_right(purpose=SECOND_STEP, name=nurse.email, code="x") is None
    assert codes.is_right(purpose=SECOND_STEP, name=nurse.email, code=code) is None


def test_a_code_is_not_good_for_what_the_person_has_not_chosen(nurse: User, key: str, settings: Any) -> None:
    """With an app alone nothing is sent, whoever asks: e-mail would be the weaker way."""
    assert ApiClient().post("auth/otp/request", {"identifier": nurse.email, "channel": "email"}).status_code == 200
    assert last_message().cause == "no channel"


def test_wrong_codes_lock_the_second_step_and_a_right_password_does_not_open_it(nurse: User, key: str) -> None:
    client, _ = with_password(nurse)
    for _ in range(throttle.FREE_FAILURES["account"]):
        client.post(SECOND, {"code": "111111"})
    client, answer = with_password(nurse)
    assert answer["Location"] == SECOND
    locked = client.post(SECOND, {"code": app.code_at(key, now())})
    assert locked.status_code == 422
    assert int(locked["Retry-After"]) > 20
    assert not is_in(client)
    assert throttle.seconds_locked(counted_as(nurse), "x") > 20


def test_the_second_step_is_gone_after_ten_minutes_and_with_another_password(nurse: User, key: str) -> None:
    for change in (_age, _another_password):
        client, _ = with_password(nurse)
        assert client.get(SECOND).status_code == 200
        change(client, nurse)
        assert client.get(SECOND)["Location"] == "/sign-in/"
        client.post(SECOND, {"code": app.code_at(key, now())})
        assert not is_in(client)


def _age(client: Client, _user: User) -> None:
    session = client.session
    session[proofs.PENDING] = {**session[proofs.PENDING], "at": session[proofs.PENDING]["at"] - proofs.PENDING_SECONDS - 1}
    session.save()


def _another_password(_client: Client, user: User) -> None:
    changed = User.objects.get(pk=user.pk)
    changed.set_password("Another-Horse-2026")
    changed.save()
    memory.clear()


def test_without_the_password_there_is_no_second_step(riverside: Place) -> None:
    for path in (SECOND, "/sign-in/second/code/"):
        assert Client().post(path, {"code": "1"})["Location"] == "/sign-in/"


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", "x", '{"response": {"userHandle": "AAAA"}}', "9" * 20_000, '{"response": 5}']
)
def test_what_is_no_passkey_is_told(riverside: Place, answer: str) -> None:
    client = Client()
    assert client.post("/sign-in/passkey/ask/").status_code == 200
    refused = client.post("/sign-in/passkey/", {"answer": answer})
    assert refused.status_code == 422
    assert "This passkey does not open an account." in refused.text


# --- The account's page ----------------------------------------------------------------------------------------------------
@pytest.fixture
def at_home(nurse: User) -> Client:
    """The nurse, who has just signed in with the password."""
    client, _ = with_password(nurse)
    assert is_in(client)
    return client


def test_setting_up_the_app_shows_recovery_codes_once(at_home: Client, nurse: User) -> None:
    page = at_home.get(f"{SECURITY}app/")
    shown = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert shown
    key = shown[1].replace(" ", "")
    assert key not in str(dict(at_home.session))
    wrong = at_home.post(f"{SECURITY}app/", {"code": "12"})
    assert wrong.status_code == 422
    assert shown[1] in wrong.text  # the same key: nobody has to scan again
    done = at_home.post(f"{SECURITY}app/", {"code": app.code_at(key, now())})
    assert done.status_code == 200
    given = re.findall(r"<code>([a-z0-9-]{11})</code>", done.text)
    assert len(given) == recovery.COUNT
    assert given[0] not in at_home.get(SECURITY).text
    client, answer = with_password(nurse)
    assert answer["Location"] == SECOND
    client.post(SECOND, {"code": given[9]})
    assert is_in(client)


def test_codes_by_message_are_proved_first(at_home: Client, nurse: User, settings: Any) -> None:
    settings.HMS_MESSAGE_GATEWAYS = {"sms": "http://127.0.0.1:9/", "whatsapp": ""}
    wrong = at_home.post(f"{SECURITY}code/", {"channel": "sms", "phone": "12"})
    assert wrong.status_code == 422
    asked = at_home.post(f"{SECURITY}code/", {"channel": "sms", "phone": "020 7946 0018"})
    assert "+442079460018" in asked.text
    assert at_home.post(f"{SECURITY}code/", {"code": "000"}).status_code == 422
    assert _factors(nurse) == []
    assert at_home.post(f"{SECURITY}code/", {"code": sent_code()}).status_code == 200
    assert sorted(one.kind for one in _factors(nurse)) == ["code", "recovery"]


def test_removing_the_last_factor_takes_the_recovery_codes_too(at_home: Client, nurse: User, key: str, riverside: Place) -> None:
    with scope():
        services.new_recovery_codes(user=nurse)
    (factor,) = [one for one in _factors(nurse) if one.kind == "app"]
    other, _ = with_password(riverside.users[Role.DOCTOR])
    assert other.post(f"{SECURITY}remove/", {"factor": str(factor.pk)}).status_code == 404
    assert len(_factors(nurse)) == 2
    assert at_home.post(f"{SECURITY}remove/", {"factor": str(factor.pk)}).status_code == 303
    assert _factors(nurse) == []


@pytest.mark.parametrize("what", ["app/", "code/", "recovery/", "remove/", "passkey/", "passkey/ask/"])
def test_changes_ask_for_the_password_again_after_a_while(at_home: Client, nurse: User, what: str) -> None:
    session = at_home.session
    session[proofs.PROVED] -= proofs.PROVED_SECONDS + 1
    session.save()
    answer = at_home.post(SECURITY + what, {"factor": "x"})
    assert (answer.status_code, answer["Location"]) == (303, f"/account/confirm/?next={SECURITY}")
    wrong = at_home.post("/account/confirm/", {"password": "no", "next": SECURITY})
    assert wrong.status_code == 422
    assert at_home.post(SECURITY + what, {"factor": "x"})["Location"].startswith("/account/confirm/")
    assert at_home.post("/account/confirm/", {"password": PASSWORD, "next": SECURITY})["Location"] == SECURITY
    assert "/account/confirm/" not in at_home.post(SECURITY + what, {"factor": "x"}).headers.get("Location", "")


def test_an_operator_removes_all_and_nobody_else(world: World, riverside: Place, nurse: User) -> None:
    with pytest.raises(NotAllowed):
        services.remove_all_factors(actor=riverside.actor(Role.CLINIC_ADMIN), user=nurse)


def test_only_a_super_administrator_touches_how_one_signs_in(world: World, sign_in: Any) -> None:
    """Their second factors, their lockout, their sessions."""
    highest = world.platform[Role.SUPER_ADMIN]
    with platform_scope(reason="test"):
        services.add_code(user=highest, channels=[Channel.EMAIL], phone="")
    for _ in range(throttle.FREE_FAILURES["account"]):
        throttle.note_failure(highest.email, "192.0.2.1")

    def acts(role: Role) -> tuple[list[str], bool, bool]:
        """The factors that are left, whether the account still waits, and whether its session has ended."""
        with platform_scope(reason="test"):
            session = begin_session(user=highest, kind=SessionKind.BROWSER, methods=["pwd"])
        operator = sign_in(world.platform[role])
        for action in ("unlock", "remove_factors"):
            operator.post("/admin/core/user/", {"action": action, "_selected_action": [str(highest.pk)], "index": "0"})
        operator.post("/admin/core/authsession/", {"action": "end", "_selected_action": [str(session.pk)], "index": "0"})
        with platform_scope(reason="test"):
            session.refresh_from_db()
            left = [one.kind for one in factors_of(highest)]
        return left, bool(throttle.seconds_locked(highest.email, "192.0.2.2")), session.ended_at is not None

    assert acts(Role.SYSTEM_ADMIN) == (["code"], True, False)
    assert acts(Role.SUPER_ADMIN) == ([], False, True)


# --- Devices ---------------------------------------------------------------------------------------------------------------
def letters_after(act: Any) -> int:
    """How many messages the requests of `act` post. hms_app can't read them, so its transaction is asked how many it added."""
    with CaptureQueriesContext(connection) as sent:
        act()
    return sum('INSERT INTO "core_outgoingmessage"' in one["sql"] for one in sent)


def test_a_sign_in_with_a_new_browser_is_told_once(nurse: User, riverside: Place) -> None:
    client = Client()
    enter = lambda user: client.post("/sign-in/", {"email": user.email, "password": PASSWORD})  # noqa: E731
    User.objects.filter(pk=nurse.pk).update(last_login=None)
    assert letters_after(lambda: enter(nurse)) == 0  # the first time ever
    assert letters_after(lambda: enter(nurse)) == 0  # the same browser
    doctor = riverside.users[Role.DOCTOR]
    User.objects.filter(pk=doctor.pk).update(last_login=timezone.now())
    assert letters_after(lambda: enter(doctor)) == 1  # another person in it
    assert letters_after(lambda: enter(nurse)) == 0  # is remembered beside them
    cookie = client.cookies["hms_device"]
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, "Lax", "")
    assert str(nurse.pk.hex) not in cookie.value
    client.cookies["hms_device"] = cookie.value[:-2] + "xx"  # forged
    assert letters_after(lambda: enter(nurse)) == 1
    assert letters_after(lambda: with_password(nurse)) == 1


def test_with_a_second_factor_the_notice_waits_for_it(nurse: User, key: str) -> None:
    User.objects.filter(pk=nurse.pk).update(last_login=timezone.now())
    client = Client()
    assert letters_after(lambda: client.post("/sign-in/", {"email": nurse.email, "password": PASSWORD})) == 0
    assert letters_after(lambda: client.post(SECOND, {"code": app.code_at(key, now())})) == 1


# --- Who must have one -----------------------------------------------------------------------------------------------------
@pytest.fixture
def demanded(riverside: Place) -> Iterator[None]:
    Clinic.objects.filter(pk=riverside.clinic.pk).update(second_factor_roles=[Role.NURSE, Role.DOCTOR])
    memory.clear()
    yield
    memory.clear()


def test_who_must_have_one_is_led_to_set_it_up_before_anything_else(at_home: Client, demanded: None, riverside: Place) -> None:
    for path in ("/", "/patients/", "/calendar/"):
        answer = at_home.get(path)
        assert (answer.status_code, answer["Location"]) == (303, SECURITY), path
    assert at_home.get("/patients/", headers={"HX-Request": "true"})["HX-Redirect"] == SECURITY
    page = at_home.get(SECURITY)
    assert "Your clinic asks for a second factor" in page.text
    desk, _ = with_password(riverside.users[Role.RECEPTIONIST])
    assert desk.get("/patients/").status_code == 200
    shown = re.search(r"<code>([A-Z2-7 ]+)</code>", at_home.get(f"{SECURITY}app/").text)
    assert shown
    at_home.post(f"{SECURITY}app/", {"code": app.code_at(shown[1].replace(" ", ""), now())})
    assert at_home.get("/patients/").status_code == 200


def test_a_role_that_demands_one_does_so_beside_another(at_home: Client, nurse: User, riverside: Place) -> None:
    """Also the role of a patient, in which staff don't act."""
    Clinic.objects.filter(pk=riverside.clinic.pk).update(second_factor_roles=[Role.PATIENT])
    membership = riverside.memberships[Role.NURSE]
    assert at_home.get("/patients/").status_code == 200
    membership.roles = [Role.NURSE, Role.PATIENT]
    with clinic_scope(riverside.clinic, reason="test"):
        membership.save()
    memory.clear()
    assert at_home.get("/patients/")["Location"] == SECURITY
    memory.clear()


def test_the_api_says_by_a_code_that_one_is_missing(demanded: None, nurse: User, riverside: Place) -> None:
    assert api_error(ApiClient(nurse).get("patients")) == (403, ["second_factor_required"])
    assert ApiClient(nurse).get("auth/me").status_code == 200
    assert ApiClient(riverside.users[Role.RECEPTIONIST]).get("patients").status_code == 200


def test_the_api_lets_in_who_has_one(demanded: None, nurse: User, key: str) -> None:
    memory.clear()
    assert ApiClient(nurse).get("patients").status_code == 200


# --- API -------------------------------------------------------------------------------------------------------------------
def token(user: User, password: str = PASSWORD, **more: str) -> Any:
    return ApiClient().post("auth/token", {"email": user.email, "password": password, **more})


def test_a_token_needs_the_code_and_only_a_right_password_is_told_so(nurse: User, key: str) -> None:
    code = app.code_at(key, now())
    assert api_error(token(nurse, "wrong")) == api_error(token(nurse, "wrong", otp=code)) == (401, [])
    assert api_error(token(nurse)) == api_error(token(nurse, otp="")) == (401, ["otp_required"])
    assert token(nurse, otp="123").status_code == 401
    assert token(nurse, otp=code).status_code == 200
    assert token(nurse, otp=code).status_code == 401


def test_a_code_that_was_sent_is_an_otp(nurse: User, phone: str) -> None:
    ApiClient().post("auth/otp/request", {"identifier": nurse.email.upper(), "channel": "email"})
    assert last_message().channels == ["email", "sms"]
    code = sent_code()
    alone = ApiClient().post("auth/otp/verify", {"identifier": nurse.email, "code": code})
    assert api_error(alone) == (401, ["password_required"])
    assert token(nurse, otp=code).status_code == 200
    assert token(nurse, otp=code).status_code == 401


def test_a_session_says_what_was_proved_and_no_more(nurse: User, key: str, riverside: Place, settings: Any) -> None:
    """What is sent without a second factor is not looked at, so it proves nothing."""
    doctor, clerk = riverside.users[Role.DOCTOR], riverside.users[Role.RECEPTIONIST]
    settings.HMS_MESSAGE_GATEWAYS = {"sms": "http://127.0.0.1:9/", "whatsapp": ""}
    with scope():
        services.add_code(user=doctor, channels=[Channel.SMS], phone="+442079460018")
    ApiClient().post("auth/otp/request", {"identifier": doctor.email, "channel": "sms"})
    assert _methods(token(doctor, otp=sent_code())) == ["pwd", "sms"]
    assert _methods(token(nurse, otp=app.code_at(key, now()))) == ["pwd", "otp"]
    assert _methods(token(clerk, otp="123456")) == _methods(token(clerk)) == ["pwd"]


def _methods(answer: Any) -> list[str]:
    headers = {"Authorization": f"Bearer {answer.json()['data']['access']}"}
    sessions = Client(headers=headers).get("/api/v2/auth/sessions").json()["data"]
    (own,) = (one["methods"] for one in sessions if one["current"])
    return list(own)


def test_a_code_alone_is_enough_without_a_second_factor(riverside: Place) -> None:
    patient = riverside.users[Role.PATIENT]
    ApiClient().post("auth/otp/request", {"identifier": patient.email, "channel": "sms"})
    assert last_message().channels == ["email"]
    code = sent_code()
    given = {"identifier": patient.email, "code": code}
    assert ApiClient().post("auth/otp/verify", {**given, "code": "1"}).status_code == 401
    assert set(ApiClient().post("auth/otp/verify", given).json()["data"]) == {"access", "refresh", "expires_in", "user"}
    assert ApiClient().post("auth/otp/verify", given).status_code == 401


def test_a_code_alone_is_never_enough_for_the_platform_or_where_a_role_demands_more(
    world: World, demanded: None, nurse: User
) -> None:
    for user in (world.platform[Role.SUPER_ADMIN], nurse):
        ApiClient().post("auth/otp/request", {"identifier": user.email, "channel": "email"})
        answer = ApiClient().post("auth/otp/verify", {"identifier": user.email, "code": sent_code()})
        assert api_error(answer) == (401, ["password_required"])


# --- A new password ---------------------------------------------------------------------------------------------------------
def test_a_new_password_by_e_mail_ends_sessions_and_leaves_the_second_factor(riverside: Place, key: str, nurse: User) -> None:
    client = Client()
    assert f"If {nurse.email} has an account" in client.post("/sign-in/forgotten/", {"email": nurse.email}).text
    link = _link_for(nurse)
    assert client.get(link).status_code == 200
    token_ = link.partition("token=")[2]
    weak = client.post("/sign-in/new-password/", {"token": token_, "password": "short"})
    assert weak.status_code == 422
    done = client.post("/sign-in/new-password/", {"token": token_, "password": "A-quite-other-Horse"}, follow=True)
    assert "Your password was changed." in done.text
    again = client.post("/sign-in/new-password/", {"token": token_, "password": "A-third-Horse-entirely"})
    assert again.status_code == 422
    memory.clear()
    assert client.post("/sign-in/", {"email": nurse.email, "password": PASSWORD}).status_code == 422
    assert client.post("/sign-in/", {"email": nurse.email, "password": "A-quite-other-Horse"})["Location"] == SECOND


def _link_for(user: User) -> str:
    """As the letter has it, which this transaction can't read; the browser's test takes it from the letter."""
    return f"/sign-in/new-password/?token={user.pk.hex}-{_tokens.make_token(User.objects.get(pk=user.pk))}"


@pytest.mark.parametrize("token_", ["", "x", "-", "a-b", "00000000000000000000000000000000-x", "é" * 40])
def test_a_made_up_link_is_dead(riverside: Place, token_: str) -> None:
    page = Client().get("/sign-in/new-password/", {"token": token_})
    assert "This link is no longer good" in page.text
    assert Client().post("/sign-in/new-password/", {"token": token_, "password": "A-third-Horse-entirely"}).status_code == 422


def test_the_clinic_s_page_and_administration_say_who_must_have_one(demanded: None, riverside: Place, sign_in: Any) -> None:
    admin = sign_in(riverside.users[Role.CLINIC_ADMIN])
    assert "Nurse" in admin.get("/settings/").text.partition("Second factor required of")[2][:200]
    address = f"/admin/core/clinic/{riverside.clinic.pk}/change/"
    form = admin.get(address)
    assert form.context["adminform"].form.initial["second_factor_roles"] == ["NURSE", "DOCTOR"]
    sent = {"name": riverside.clinic.name, "time_zone": "Europe/London", "locale": "en-gb", "break_glass_minutes": 60}
    sent |= {"second_factor_roles": ["PHARMACIST"]}
    assert admin.post(address, sent).status_code == 302
    assert Clinic.objects.get(pk=riverside.clinic.pk).second_factor_roles == ["PHARMACIST"]
    assert admin.post(address, {**sent, "second_factor_roles": ["KING"]}).status_code == 200
