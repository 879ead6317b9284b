"""The OpenAPI documents leave nothing out: of every operation its parameters, bodies, answers, headers and examples."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from core.accounts.roles import Role
from core.api.versioning import IN_PATHS
from tests.core.test_api_contract import by_id, url_of
from tests.factories.api_client import ApiClient
from tests.factories.openapi import Operation, document, operations, resolved, types_of
from tests.factories.world import World

EVERY = [operation for version in IN_PATHS for operation in operations(version)]
BODIES = [operation for operation in EVERY if operation.body]
ALWAYS = {"400", "401", "403", "405", "429", "500", "503"}
MEANT_FOR_NOBODY = {"required", "unknown_field", "invalid", "null", "blank", "max_length", "invalid_choice", "not_a_list"}
RATE = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
FAREWELL = {"X-API-Deprecated", "X-API-Sunset", "Deprecation", "Sunset", "Link"}


def fits(value: Any, schema: Any, version: str) -> None:
    jsonschema.validate(value, {**schema, "components": document(version)["components"]})


@pytest.mark.parametrize("operation", EVERY, ids=by_id)
def test_every_operation_says_what_it_does_and_what_it_takes(operation: Operation) -> None:
    assert operation.spec["operationId"] and operation.spec["tags"]
    assert operation.spec.get("deprecated", False) is (operation.version == "1.0")
    parameters = operation.spec["parameters"]
    assert len({(one["name"], one["in"]) for one in parameters}) == len(parameters)
    assert operation.parameter("X-Request-ID")
    for one in parameters:
        kinds = one["schema"].keys() & {"type", "anyOf", "enum"}
        assert kinds, f"{one['name']} has no type"
        assert one["in"] == "path" or one.get("description"), f"{one['name']} is not explained"
        if "example" in one:
            fits(one["example"], one["schema"], operation.version)


@pytest.mark.parametrize("operation", EVERY, ids=by_id)
def test_every_operation_lists_the_errors_it_may_give(operation: Operation) -> None:
    said = {status for status in operation.spec["responses"] if status >= "400"}
    expected = ALWAYS | ({"404"} if "{" in operation.path else set())
    if operation.method != "get":
        expected |= {"409"}
    if "requestBody" in operation.spec:
        expected |= {"413", "415"}
    assert said - {"412"} == expected


@pytest.mark.parametrize("operation", EVERY, ids=by_id)
def test_every_answer_names_its_headers_and_has_examples(operation: Operation) -> None:
    for status in operation.spec["responses"]:
        answer, headers = operation.answer(int(status)) or {}, set(operation.headers(int(status)))
        assert headers >= {"X-Request-ID", "X-API-Version", "Server-Timing"} | RATE
        assert headers >= FAREWELL if operation.version == "1.0" else not headers & FAREWELL
        assert ("Retry-After" in headers) is (status in ("409", "429", "503"))
        if status in ("204", "304") or (status == "200" and operation.answers_a_file):
            continue
        media = answer["content"]["application/json"]
        examples = [one["value"] for one in media["examples"].values()] if "examples" in media else [media["example"]]
        assert examples
        for example in examples:
            fits(example, media["schema"], operation.version)


@pytest.mark.parametrize("operation", BODIES, ids=by_id)
def test_every_body_is_closed_and_its_example_is_one_that_we_take(operation: Operation, world: World) -> None:
    media = operation.spec["requestBody"]["content"]["application/json"]
    assert (operation.body or {})["additionalProperties"] is False
    fits(media["example"], media["schema"], operation.version)
    api = ApiClient(world.riverside.users[Role.CLINIC_ADMIN])
    answer = api.request(operation.method.upper(), url_of(operation, world.riverside), media["example"])
    assert answer.status_code < 500
    if answer.status_code == 400:  # its ids are nobody's, and a rule of the clinic may stand against it
        assert not {detail["code"] for detail in answer.json()["error"]["details"]} & MEANT_FOR_NOBODY, answer.content


def open_objects(schema: Any, name: str = "body") -> Iterator[str]:
    """What in a body, at any depth, would take a field that we don't know."""
    inner = resolved(schema)
    if "object" in types_of(inner) and inner.get("additionalProperties") is not False:
        yield name
    for below, one in (*inner.get("properties", {}).items(), *([("items", inner["items"])] if "items" in inner else [])):
        yield from open_objects(one, f"{name}.{below}")


@pytest.mark.parametrize("operation", BODIES, ids=by_id)
def test_every_body_is_closed_at_every_depth(operation: Operation) -> None:
    assert list(open_objects(operation.body)) == []


@pytest.mark.parametrize("operation", BODIES, ids=by_id)
def test_every_unsafe_operation_but_sign_in_takes_an_idempotency_key(operation: Operation) -> None:
    assert (operation.parameter("Idempotency-Key") is None) is ("/auth/" in operation.path)


@pytest.mark.parametrize("version", IN_PATHS)
def test_no_order_is_turned_round_twice(version: str) -> None:
    named = [one.parameter("ordering") for one in operations(version)]
    orders = {order for one in named if one for order in one["schema"]["enum"]}
    assert len(orders) > 20 and [order for order in orders if order.startswith("--")] == []


@pytest.mark.parametrize("version", IN_PATHS)
def test_each_version_serves_its_own_document(version: str) -> None:
    for path in (f"/api/{IN_PATHS[version]}/schema/", f"/api/schema/?api_version={version}"):
        answer = ApiClient().get(path)
        assert answer["Content-Type"].startswith("application/vnd.oai.openapi+json")
        assert answer.json()["info"]["version"] == version
        assert ("meta.page" in answer.json()["info"]["description"]) is (version == "2.0")
        assert all(one.startswith(f"/api/{IN_PATHS[version]}/") for one in answer.json()["paths"])
    assert ApiClient().get("/api/schema/").json()["info"]["version"] == "2.0"


def test_the_document_is_yaml_for_who_asks_for_it() -> None:
    answer = ApiClient().get("/api/schema/", Accept="application/vnd.oai.openapi")
    assert answer["Content-Type"].startswith("application/vnd.oai.openapi;") and answer.content.startswith(b"openapi: 3.1")
