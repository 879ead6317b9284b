"""Every field of every body: missing, of a wrong type, too long, unstorable, foreign. Named, all at once, never a 500."""

import copy
from typing import Any

import pytest

from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.api_client import ApiClient
from tests.factories.bodies import body_for
from tests.factories.cases import filled
from tests.factories.openapi import BodyField, Operation, fields_of, operations, types_of
from tests.factories.routes import Route
from tests.factories.world import Place, World

pytestmark = pytest.mark.thorough

WITH_BODY = [operation for operation in operations() if operation.body and operation.body.get("properties")]
WELCOME = [
    "😀🏥",
    "שלום עולם",
    "مرحبا",
    "田中 さくら",
    "<script>alert(1)</script>",
    "O'Brien; DROP TABLE patients;--",
    "BP <90 & rising",
]
UNSTORABLE = ["a\x00b", "a\ud800b"]
WRONG: dict[str, Any] = {
    "string": {"an": "object"},
    "integer": "many",
    "number": "much",
    "boolean": "perhaps",
    "array": "alone",
    "object": "flat",
}


def by_id(value: Any) -> str:
    return value.id


def sent(operation: Operation, body: Any, place: Place) -> Any:
    route = Route(operation.path, "", "api", operation.method.upper(), None, None, None)
    return ApiClient(place.users[Role.CLINIC_ADMIN]).request(route.method, filled(route, place), body)


def with_value(body: dict[str, Any], field: BodyField, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    inner = changed
    for name in field.path[:-1]:
        inner = inner.setdefault(name, {})
    inner[field.path[-1]] = value
    return changed


def without(body: dict[str, Any], field: BodyField) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    inner = changed
    for name in field.path[:-1]:
        inner = inner.get(name, {})
    inner.pop(field.path[-1], None)
    return changed


def wrong_fields(answer: Any) -> set[str]:
    return {detail["field"] for detail in answer.json()["error"]["details"]}


def assert_named(answer: Any, field: BodyField) -> None:
    assert answer.status_code == 400, f"{field.name}: {answer.status_code} {answer.content[:300]!r}"
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR", answer.content
    names = wrong_fields(answer)
    assert any(name == field.name or name.startswith(f"{field.name}.") for name in names), f"{field.name} not in {names}"


@pytest.mark.parametrize("operation", WITH_BODY, ids=by_id)
def test_each_field_missing_or_wrong_is_named(operation: Operation, world: World) -> None:
    place = world.riverside
    body = body_for(operation.method, operation.path, place)
    for field in fields_of(operation.body or {}):
        if field.required and operation.method == "post":
            assert_named(sent(operation, without(body, field), place), field)
        kinds = types_of(field.schema) - {"null"}
        assert_named(sent(operation, with_value(body, field, WRONG[next(iter(kinds))]), place), field)
        if "null" not in types_of(field.schema):
            assert_named(sent(operation, with_value(body, field, None), place), field)


@pytest.mark.parametrize("operation", WITH_BODY, ids=by_id)
def test_each_text_too_long_or_unstorable_is_named_and_every_script_is_welcome(operation: Operation, world: World) -> None:
    place = world.riverside
    body = body_for(operation.method, operation.path, place)
    for field in fields_of(operation.body or {}):
        if "string" not in types_of(field.schema):
            continue
        for text in UNSTORABLE:
            assert_named(sent(operation, with_value(body, field, text), place), field)
        assert_named(sent(operation, with_value(body, field, "x" * 20_000), place), field)
        for text in WELCOME:
            answer = sent(operation, with_value(body, field, text), place)
            assert answer.status_code < 500, f"{field.name}={text!r}: {answer.content[:300]!r}"


@pytest.mark.parametrize("operation", WITH_BODY, ids=by_id)
def test_every_wrong_field_is_listed_at_once(operation: Operation, world: World) -> None:
    fields = list(fields_of(operation.body or {}))
    body: dict[str, Any] = {"no_such_field": 1}
    for field in fields:
        body = with_value(body, field, WRONG[next(iter(types_of(field.schema) - {"null"}))])
    answer = sent(operation, body, world.riverside)
    assert answer.status_code == 400
    names = wrong_fields(answer)
    missing = [f.name for f in fields if not any(n == f.name or n.startswith(f"{f.name}.") for n in names)]
    assert not missing
    assert "no_such_field" in names


@pytest.mark.parametrize("operation", WITH_BODY, ids=by_id)
def test_ids_of_another_clinic_are_refused_like_unknown_ones(operation: Operation, world: World) -> None:
    ours, theirs = world.riverside, world.hillcrest
    own, foreign = (body_for(operation.method, operation.path, place) for place in (ours, theirs))
    for field in fields_of(operation.body or {}):
        if field.schema.get("format") != "uuid" or len(field.path) > 1 or field.path[0] not in foreign:
            continue
        answer = sent(operation, with_value(own, field, foreign[field.path[0]]), ours)
        assert_named(answer, field)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff\xfe", b"NaN", b'{"a":' * 2000, b"{" + b'"a":1,' * 10 + b"}"]
)
def test_a_body_that_is_no_json_object_is_a_bad_request(world: World, body: bytes) -> None:
    api = ApiClient(world.riverside.users[Role.RECEPTIONIST])
    for path in ("patients", "appointments"):
        answer = api.request("POST", path, body)
        assert answer.status_code == 400, answer.content
        assert answer.json()["error"]["code"] in ("BAD_REQUEST", "VALIDATION_ERROR")


def test_another_content_type_is_refused(world: World) -> None:
    api = ApiClient(world.riverside.users[Role.RECEPTIONIST])
    answer = api.client.post(
        "/api/v2/patients", "given_name=A", content_type="application/x-www-form-urlencoded", headers=api.headers
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_over_the_limit_is_refused(world: World) -> None:
    api = ApiClient(world.riverside.users[Role.RECEPTIONIST])
    answer = api.post("patients", {"notes": "x" * 1_100_000})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_refused_bodies_leave_nothing_behind(world: World) -> None:
    from django.apps import apps

    place = world.riverside
    models = [
        apps.get_model(label)
        for label in ("patients.Patient", "patients.PatientToken", "appointments.Appointment", "appointments.Claim")
    ]

    def counts() -> list[int]:
        with clinic_scope(place.clinic, reason="test"):
            return [model.objects.count() for model in models]

    for operation in WITH_BODY:
        sent(operation, {"no_such_field": 1}, place)  # every noun that a path needs is there now
    before = counts()
    for operation in WITH_BODY:
        body = body_for(operation.method, operation.path, place)
        sent(operation, {**body, "no_such_field": 1}, place)
    assert counts() == before
