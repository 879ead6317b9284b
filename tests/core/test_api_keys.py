"""Keys of other systems: what they say, what they may, how they end, and who is told."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.accounts.actor import Actor, system_actor
from core.accounts.api_keys.models import ApiKey
from core.accounts.api_keys.scopes import SCOPES, givable, in_words
from core.accounts.api_keys.services import end_api_key, make_api_key
from core.accounts.api_keys.text import new_text, read_text
from core.accounts.auth_sessions import NOTED_EVERY
from core.accounts.models import User
from core.accounts.roles import MATRIX, Role
from core.accounts.services import change_user, set_password
from core.api.versioning import IN_PATHS
from core.audit.events import AccessRecord, stored
from core.audit.subjects import Reading, Shown
from core.errors import NotAllowed, NotFound, ValidationFailed
from core.history.models import Change
from core.redaction import redacted
from core.security.models import SecurityEvent
from core.tenancy.context import clinic_scope
from core.tenancy.ids import new_id
from core.tenancy.models import Clinic
from patients.selectors.accesses import accesses_of
from tests.factories.access_log import taken_events
from tests.factories.api_client import ApiClient
from tests.factories.api_keys import api_key, made_key, turn_back
from tests.factories.openapi import document
from tests.factories.routes import routes
from tests.factories.world import Place, World

CLINICS = "clinics"


def wrong_fields(place: Place, *, role: Role = Role.CLINIC_ADMIN, **given: Any) -> set[str]:
    with clinic_scope(place.clinic, reason="test"), pytest.raises(ValidationFailed) as caught:
        make_api_key(actor=place.actor(role), **{"name": "Laboratory", "scopes": ["patient:view"], **given})
    return {detail.field for detail in caught.value.details}


# --- The written key --------------------------------------------------------------------------------------------------------
def test_a_key_says_whose_it_is_and_is_kept_as_a_digest_alone(riverside: Place) -> None:
    key, text = made_key(riverside, "patient:view")
    said = read_text(text)
    assert said is not None and (said.user_id, said.digest) == (key.user_id, key.digest)
    secret = text.rpartition("_")[2]
    with connection.cursor() as cursor, clinic_scope(riverside.clinic, reason="test"):
        cursor.execute("SELECT to_jsonb(k)::text || to_jsonb(u)::text FROM core_apikey k JOIN core_user u ON u.id = k.user_id")
        assert not any(secret in row for (row,) in cursor.fetchall())


def test_a_slip_of_the_hand_is_found_without_asking_anybody() -> None:
    text = new_text(new_id())
    assert read_text(text) is not None
    for place in (5, 20, 40, 60, len(text) - 1):
        slipped = text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :]
        assert read_text(slipped) is None
    assert [read_text(one) for one in ("", "hms_", text.upper(), text + "0", f" {text}", text.replace("hms", "hsm"))] == [None] * 6


def test_every_key_is_another_and_no_log_shows_one() -> None:
    user_id = new_id()
    made = {new_text(user_id) for _ in range(50)}
    assert len(made) == 50
    for text in made:
        assert redacted(f"before Api-Key {text}, after") == "before Api-Key [hidden], after"
        assert text[10:30] not in redacted(f"half of it: {text[:50]}")


# --- What it may ---------------------------------------------------------------------------------------------------------
def test_what_is_offered_is_what_the_routes_ask_for() -> None:
    asked = {f"{route.resource}:{route.action}" for route in routes("api")}
    assert {one for one in asked if _may_an_administrator(one)} == SCOPES


def _may_an_administrator(scope: str) -> bool:
    resource, action = scope.split(":")
    return Role.CLINIC_ADMIN in MATRIX[resource][action]


def test_every_scope_has_words() -> None:
    assert sum(len(actions) for _, actions in in_words(SCOPES)) == len(SCOPES)


def test_nobody_gives_more_than_they_may_themselves(riverside: Place) -> None:
    administrator = riverside.actor(Role.CLINIC_ADMIN)
    assert givable(administrator) == SCOPES
    assert wrong_fields(riverside, scopes=["patient:view", "user:create"]) == {"scopes"}
    assert wrong_fields(riverside, scopes=["patient:fly", "nothing"]) == {"scopes"}
    with clinic_scope(riverside.clinic, reason="test"):
        for role in (Role.DOCTOR, Role.AUDITOR, Role.PATIENT):
            with pytest.raises(NotAllowed):
                make_api_key(actor=riverside.actor(role), name="Mine", scopes=["patient:view"])
    nurse = riverside.actor(Role.NURSE)
    assert "patient:view" in givable(nurse) and "service:create" not in givable(nurse)


def test_a_key_makes_and_ends_no_key(riverside: Place) -> None:
    key, _ = made_key(riverside, *SCOPES)
    other = Actor(key.user_id, key.name, riverside.clinic.pk, frozenset(), scopes=SCOPES)
    with clinic_scope(riverside.clinic, reason="test"):
        with pytest.raises(NotAllowed, match="api_key:create"):
            make_api_key(actor=other, name="Another", scopes=["patient:view"])
        with pytest.raises(NotAllowed, match="api_key:end"):
            end_api_key(actor=other, key_id=key.pk)


def test_every_wrong_field_is_named(riverside: Place) -> None:
    assert wrong_fields(riverside, name="  ", scopes=[], days=0) == {"name", "scopes", "days"}
    assert wrong_fields(riverside, name="x" * 81, days=366) == {"name", "days"}
    made_key(riverside, name="Laboratory")
    assert wrong_fields(riverside) == {"name"}


def test_a_name_is_free_again_once_its_key_has_ended_and_in_another_clinic(riverside: Place, hillcrest: Place) -> None:
    key, _ = made_key(riverside, name="Laboratory")
    made_key(hillcrest, name="Laboratory")
    with clinic_scope(riverside.clinic, reason="test"):
        end_api_key(actor=riverside.actor(Role.CLINIC_ADMIN), key_id=key.pk)
    again, _ = made_key(riverside, name="Laboratory")
    assert again.pk != key.pk and again.name == key.name


def test_it_lives_ninety_days_unless_something_else_is_said(riverside: Place) -> None:
    key, _ = made_key(riverside)
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    key, _ = made_key(riverside, days=365)
    assert abs(key.expires_at - timezone.now() - timedelta(days=365)) < timedelta(minutes=1)


# --- Asking with it --------------------------------------------------------------------------------------------------------
def test_it_reads_as_its_scopes_say(riverside: Place) -> None:
    client = ApiClient(key=api_key(riverside, "patient:view"))
    assert client.get("patients").status_code == 200
    refused = client.post("patients", {"given_name": "New"})
    assert refused.status_code == 403
    assert refused.json()["error"]["details"][0]["code"] == "scope_required"
    assert "patient:create" in refused.json()["error"]["message"]


def test_what_a_key_may_decides_what_it_is_shown() -> None:
    """`seen_as` is in the key of every kept answer."""
    one, other, nobody = (Actor(None, "A system", None, frozenset(), scopes=scopes) for scopes in
                          (frozenset({"patient:view"}), frozenset({"patient:create"}), None))  # fmt: skip
    assert len({one.seen_as, other.seen_as, nobody.seen_as}) == 3


def test_it_sees_its_own_clinic_alone(riverside: Place, hillcrest: Place) -> None:
    client = ApiClient(key=api_key(riverside, "clinic:view"))
    assert [one["slug"] for one in client.get(CLINICS).json()["data"]] == ["riverside"]
    for said in (riverside.clinic.slug, str(riverside.clinic.pk)):
        assert client.get(CLINICS, X_Clinic_ID=said).status_code == 200
    assert client.get(CLINICS, X_Clinic_ID=hillcrest.clinic.slug).status_code == 403
    assert client.get(f"{CLINICS}?clinic_id={hillcrest.clinic.pk}").status_code == 403


def test_a_suspended_clinics_key_opens_nothing(hillcrest: Place) -> None:
    client = ApiClient(key=api_key(hillcrest, "clinic:view"))
    assert client.get(CLINICS).status_code == 200
    Clinic.objects.filter(pk=hillcrest.clinic.pk).update(state=Clinic.State.SUSPENDED)
    assert client.get(CLINICS).status_code == 403


def test_an_ended_key_is_refused_from_the_next_request_on(riverside: Place) -> None:
    key, text = made_key(riverside)
    client = ApiClient(key=text)
    assert client.get(CLINICS).status_code == 200
    with clinic_scope(riverside.clinic, reason="test"):
        end_api_key(actor=riverside.actor(Role.CLINIC_ADMIN), key_id=key.pk)
    assert client.get(CLINICS).status_code == 401


def test_an_expired_key_is_refused(riverside: Place) -> None:
    key, text = made_key(riverside)
    assert ApiClient(key=text).get(CLINICS).status_code == 200
    turn_back(riverside, key, expires_at={"seconds": 1})
    assert ApiClient(key=text).get(CLINICS).status_code == 401


def test_wrong_expired_and_ended_keys_look_alike(riverside: Place) -> None:
    key, text = made_key(riverside)
    turn_back(riverside, key, expires_at={"days": 1})
    other, ended = made_key(riverside)
    turn_back(riverside, other, ended_at={"days": 1})
    wrong = new_text(key.user_id)
    answers = [ApiClient(key=one).get(CLINICS) for one in (text, ended, wrong, new_text(new_id()), "hms_nonsense")]
    answers.append(ApiClient().get(CLINICS, Authorization="Bearer nonsense"))
    assert {one.status_code for one in answers} == {401}
    assert len({one.json()["error"]["message"] for one in answers[:-1]}) == 1
    assert {(one.json()["error"]["code"], one["WWW-Authenticate"]) for one in answers} == {("AUTHENTICATION_ERROR", "Bearer")}


def test_when_and_from_where_it_was_used_is_noted_every_five_minutes(riverside: Place) -> None:
    key, text = made_key(riverside)
    client = ApiClient(key=text)

    def written(action: Any) -> int:
        with CaptureQueriesContext(connection) as sent:
            action()
        return sum('UPDATE "core_apikey"' in one["sql"] for one in sent)

    assert written(lambda: client.get(CLINICS)) == 1
    assert written(lambda: client.get(CLINICS)) == 0
    with clinic_scope(riverside.clinic, reason="test"):
        used = ApiKey.objects.get(pk=key.pk)
    assert used.last_used_from == "127.0.0.1" and used.last_used_at is not None
    turn_back(riverside, key, last_used_at={"seconds": NOTED_EVERY.total_seconds() + 1})
    assert written(lambda: client.get(CLINICS)) == 1


def test_nobody_else_can_use_its_account(riverside: Place) -> None:
    key, _ = made_key(riverside)
    account = User.objects.get(pk=key.user_id)
    assert (account.is_active, account.has_usable_password(), account.platform_role) == (False, False, "")
    assert account.email.endswith(".invalid")
    answer = ApiClient().post("auth/token", {"email": account.email, "password": "!"})
    assert answer.status_code == 401
    operator = system_actor()
    with pytest.raises(NotAllowed):
        change_user(actor=operator, user_id=account.pk, changes={"is_active": True})
    with pytest.raises(NotAllowed):
        set_password(actor=operator, user_id=account.pk, password="Seven-Quiet-Owls-1")


# --- Whom the records name ---------------------------------------------------------------------------------------------------
def test_history_and_access_log_name_the_key(riverside: Place) -> None:
    key, text = made_key(riverside, "patient:view", "patient:change", name="Laboratory system")
    patient = riverside.patients[0]
    client = ApiClient(key=text)
    assert client.patch(f"patients/{patient.pk}", {"notes": "asked for by the laboratory"}).status_code == 200
    with clinic_scope(riverside.clinic, reason="test"):
        change = Change.objects.filter(row_id=patient.pk).latest("id")
        assert change.actor_id == key.user_id
    browser = Client()
    browser.force_login(riverside.users[Role.CLINIC_ADMIN])
    assert "Laboratory system" in browser.get(f"/patients/{patient.pk}/changes/").text
    taken_events()
    assert client.get(f"patients/{patient.pk}").status_code == 200
    (look,) = taken_events()
    assert (look.user_id, look.patients) == (str(key.user_id), {patient.pk})
    with clinic_scope(riverside.clinic, reason="test"):
        stored([AccessRecord(new_id(), timezone.now(), key.user_id, riverside.clinic.pk, *look[4:9], _shown(patient.pk)).packed()])
        (said,) = accesses_of(actor=riverside.actor(Role.AUDITOR), patient_id=patient.pk, limit=1)
    assert (said.person, said.roles) == ("Laboratory system", ())


def test_the_security_log_names_the_key(riverside: Place, world: World) -> None:
    key, _ = made_key(riverside, name="Laboratory system")
    event = SecurityEvent.objects.create(
        kind=SecurityEvent.Kind.RATE_LIMITED, address="203.0.113.95", minute=timezone.now(), person_id=key.user_id
    )
    browser = Client()
    browser.force_login(world.platform[Role.SUPER_ADMIN])
    assert f"Laboratory system, {key.user_id}" in browser.get(f"/admin/core/securityevent/{event.pk}/change/").text


def _shown(patient_id: UUID) -> Shown:
    shown = Shown()
    shown.add([patient_id.bytes], Reading.VIEW)
    return shown


def test_that_a_key_was_made_and_ended_stands_in_the_history_without_its_digest(riverside: Place) -> None:
    key, _ = made_key(riverside)
    with clinic_scope(riverside.clinic, user_id=riverside.users[Role.CLINIC_ADMIN].pk, reason="test"):
        end_api_key(actor=riverside.actor(Role.CLINIC_ADMIN), key_id=key.pk)
        made, ended = Change.objects.filter(row_id=key.pk).order_by("id")
    assert made.new_values["scopes"] and made.new_values["digest"] is None
    assert "ended_at" in ended.new_values and ended.actor_id == riverside.users[Role.CLINIC_ADMIN].pk


def test_a_repeated_request_of_a_key_does_nothing_twice_and_another_key_is_not_answered_with_it(riverside: Place) -> None:
    body = {"name": "Ear care", "duration_minutes": 10}
    one, other = (ApiClient(key=api_key(riverside, "service:create")) for _ in range(2))
    first = one.post("services", body, Idempotency_Key="repeated-1")
    again = one.post("services", body, Idempotency_Key="repeated-1")
    assert (first.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert again.json()["data"]["id"] == first.json()["data"]["id"]
    assert "Idempotency-Replayed" not in other.post("services", body | {"name": "Nose care"}, Idempotency_Key="repeated-1")


def test_the_administrators_are_told(riverside: Place, settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    with CaptureQueriesContext(connection) as sent:
        made_key(riverside)
    said = [one["sql"] for one in sent if not one["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert sum('INSERT INTO "core_outgoingmessage"' in one for one in said) == 1
    assert len(said) == 6


# --- Operators ------------------------------------------------------------------------------------------------------------
def test_an_operator_makes_lists_and_ends_one(riverside: Place) -> None:
    out, err = StringIO(), StringIO()
    call_command(
        "api_key", "create", "--clinic=riverside", "--name=Night job", "--scopes=clinic:view, slot:view", stdout=out, stderr=err
    )
    text = out.getvalue().strip()
    assert ApiClient(key=text).get(CLINICS).status_code == 200
    assert "Night job" in err.getvalue() and text not in err.getvalue()
    listed = StringIO()
    call_command("api_key", "list", "--clinic=riverside", stdout=listed)
    found = re.search(r"^(\S+)  Night job  in use .*clinic:view,slot:view$", listed.getvalue(), re.MULTILINE)
    assert found and text not in listed.getvalue()
    call_command("api_key", "end", found[1], "--clinic=riverside", stdout=StringIO())
    assert ApiClient(key=text).get(CLINICS).status_code == 401


def test_an_operator_is_told_what_is_wrong(riverside: Place, hillcrest: Place) -> None:
    with pytest.raises(CommandError, match="patient:fly"):
        call_command("api_key", "create", "--clinic=riverside", "--name=Night job", "--scopes=patient:fly")
    with pytest.raises(CommandError, match="no clinic"):
        call_command("api_key", "list", "--clinic=nowhere")
    key, _ = made_key(hillcrest)
    with pytest.raises(CommandError, match="no such key"):
        call_command("api_key", "end", str(key.pk), "--clinic=riverside")


def test_another_clinics_key_is_not_found(riverside: Place, hillcrest: Place) -> None:
    key, _ = made_key(hillcrest)
    with clinic_scope(riverside.clinic, reason="test"), pytest.raises(NotFound):
        end_api_key(actor=riverside.actor(Role.CLINIC_ADMIN), key_id=key.pk)


@pytest.mark.parametrize("version", IN_PATHS)
def test_the_description_names_the_scope_of_each_operation(version: str) -> None:
    said = {
        one["ApiKey"][0]
        for path in document(version)["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for one in operation.get("security", ())
        if "ApiKey" in one
    }
    assert said == SCOPES
    scheme = document(version)["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
    own = document(version)["paths"][f"/api/{IN_PATHS[version]}/auth/me"]["get"]["security"]
    assert own == [{"bearer": []}]
