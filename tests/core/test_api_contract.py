"""What every operation of the API shares: envelope, errors, request ids, versions, parameters; and the document agrees."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import brotli
import jsonschema
import pytest
from django.test import Client
from openapi_spec_validator import validate

from core.accounts.roles import Role
from core.api.versioning import IN_PATHS
from tests.factories.api_client import ApiClient
from tests.factories.bodies import body_for
from tests.factories.cases import filled
from tests.factories.growth import grow
from tests.factories.openapi import Operation, document, operations
from tests.factories.routes import Route, routes
from tests.factories.world import Place, World
from tests.performance.test_query_budgets import NEEDS

READS = [one for version in IN_PATHS for one in operations(version) if one.method == "get" and not one.sends_a_file]
WRITES = [operation for operation in operations() if operation.method in ("post", "patch")]
ERROR_KEYS = {"code", "message", "details", "request_id", "timestamp"}


def by_id(operation: Operation) -> str:
    return operation.id


def url_of(operation: Operation, place: Place) -> str:
    route = Route(operation.path, "", "api", operation.method.upper(), None, None, None)
    needs = NEEDS.get(operation.path, lambda p: "") if operation.method == "get" else lambda p: ""
    return filled(route, place) + needs(place)


def call(operation: Operation, place: Place) -> Any:
    body = None if operation.method == "get" else body_for(operation.method, operation.path, place)
    user = place.users[Role.CLINIC_ADMIN]
    return ApiClient(user).request(operation.method.upper(), url_of(operation, place), body)


def assert_documented(operation: Operation, answer: Any) -> None:
    described = operation.answer(answer.status_code)
    assert described is not None, f"{operation.id} answers an undocumented {answer.status_code}: {answer.content[:200]!r}"
    content = described.get("content", {}).get("application/json")
    if content and answer.content:
        schema = {**content["schema"], "components": closed(document(operation.version)["components"])}
        jsonschema.validate(answer.json(), schema)
    for name, header in operation.headers(answer.status_code).items():
        assert name in answer or not header["required"], f"{operation.id} {answer.status_code} comes without {name}"


def closed(components: Any) -> Any:
    """Integrators are told to expect more fields one day; the tests expect those that are described, and no others."""
    schemas = {
        name: {**schema, "additionalProperties": False} if "properties" in schema else schema
        for name, schema in components["schemas"].items()
    }
    return {**components, "schemas": {**components["schemas"], **schemas}}


@pytest.mark.parametrize("version", IN_PATHS)
def test_the_document_is_valid_openapi_3_1(version: str) -> None:
    assert document(version)["openapi"].startswith("3.1")
    assert document(version)["info"]["version"] == version
    validate(document(version))  # type: ignore[arg-type]
    assert len(list(operations(version))) > 40


@pytest.mark.parametrize(("version", "kind"), [("1.0", "api-v1"), ("2.0", "api")])
def test_the_document_and_the_routes_name_the_same_operations(version: str, kind: str) -> None:
    described = {operation.id for operation in operations(version)}
    below = f"/api/{IN_PATHS[version]}/"
    served = {f"{route.method} {route.path}" for route in (*routes(kind), *routes("open")) if route.path.startswith(below)}
    generic = {re.sub(r"\{\w+\}", "{}", one) for one in described}
    assert generic == {re.sub(r"\{\w+\}", "{}", one) for one in served}


@pytest.mark.parametrize("operation", READS, ids=by_id)
def test_what_is_read_is_as_described(operation: Operation, world: World) -> None:
    answer = call(operation, world.riverside)
    assert answer.status_code == 200, answer.content
    assert_documented(operation, answer)
    assert answer.json().get("meta", {}).get("request_id", answer["X-Request-ID"]) == answer["X-Request-ID"]
    assert answer["X-API-Version"] == operation.version


@pytest.mark.parametrize("operation", WRITES, ids=by_id)
def test_what_is_written_is_as_described(operation: Operation, world: World) -> None:
    answer = call(operation, world.riverside)
    assert answer.status_code in (200, 201, 202, 204, 401, 409), answer.content
    assert_documented(operation, answer)


@pytest.mark.parametrize("operation", READS, ids=by_id)
def test_an_unknown_parameter_is_refused(operation: Operation, world: World) -> None:
    url = url_of(operation, world.riverside)
    answer = ApiClient(world.riverside.users[Role.CLINIC_ADMIN]).get(url + ("&" if "?" in url else "?") + "no_such_thing=1")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "no_such_thing"


@pytest.mark.parametrize("operation", READS, ids=by_id)
def test_an_empty_parameter_is_refused(operation: Operation, world: World) -> None:
    """Else it would ask for everything: what a script meant whose variable is empty."""
    api, (path, _, _) = ApiClient(world.riverside.users[Role.CLINIC_ADMIN]), url_of(operation, world.riverside).partition("?")
    for one in operation.spec["parameters"]:
        if one["in"] == "query":
            for empty in ("",) if one["name"] == "clinic_id" else ("", "%20"):  # a blank is the name of no clinic
                answer = api.get(f"{path}?{one['name']}={empty}")
                said = [(detail["field"], detail["code"]) for detail in answer.json()["error"]["details"]]
                assert (answer.status_code, said) == (400, [(one["name"], "required")])
            schema = one["schema"]
            assert schema.get("type") != "string" or schema.keys() & {"enum", "format"} or schema["pattern"] == r"\S"


@pytest.mark.parametrize("operation", READS, ids=by_id)
def test_fields_makes_an_answer_sparse(operation: Operation, world: World) -> None:
    api, url = ApiClient(world.riverside.users[Role.CLINIC_ADMIN]), url_of(operation, world.riverside)
    joint = "&" if "?" in url else "?"
    whole = api.get(url).json()["data"]
    if not whole:
        grow(world.riverside, 2)
        whole = api.get(url).json()["data"]
    row = whole[0] if isinstance(whole, list) else whole
    name = next(iter(row))
    sparse = api.get(f"{url}{joint}fields={name}").json()["data"]
    assert (sparse[0] if isinstance(sparse, list) else sparse) == {name: row[name]}
    assert api.get(f"{url}{joint}fields=no_such_field").status_code == 400


@pytest.mark.parametrize("operation", READS, ids=by_id)
def test_what_has_not_changed_is_not_sent_again(operation: Operation, world: World) -> None:
    api, url = ApiClient(world.riverside.users[Role.CLINIC_ADMIN]), url_of(operation, world.riverside)
    tag = api.get(url)["ETag"]
    again = api.get(url, If_None_Match=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == tag


@pytest.mark.parametrize(
    ("accepted", "used", "unpack"),
    [("gzip", "gzip", gzip.decompress), ("gzip, br", "br", brotli.decompress), ("gzip, br;q=0", "gzip", gzip.decompress)],
)
def test_a_compressed_answer_that_has_not_changed_is_not_sent_again(
    accepted: str, used: str, unpack: Callable[[bytes], bytes], world: World
) -> None:
    grow(world.riverside, 2)
    api = ApiClient(world.riverside.users[Role.CLINIC_ADMIN])
    first = api.get("providers", Accept_Encoding=accepted)
    assert first["Content-Encoding"] == used and first["ETag"].startswith('W/"') and "Accept-Encoding" in first["Vary"]
    assert json.loads(unpack(first.content))["data"] == api.get("providers").json()["data"]
    assert api.get("providers", Accept_Encoding=accepted, If_None_Match=first["ETag"]).status_code == 304


def test_a_page_is_never_packed_without_padding(world: World, client: Client) -> None:
    client.force_login(world.riverside.users[Role.RECEPTIONIST])
    assert client.get("/", headers={"Accept-Encoding": "gzip, br"})["Content-Encoding"] == "gzip"


def test_errors_have_one_shape(world: World) -> None:
    api = ApiClient(world.riverside.users[Role.RECEPTIONIST])
    provoked = {
        400: api.post("patients", {}),
        401: ApiClient().get("patients"),
        403: api.post("services", {}),
        404: api.get("patients/01890a5d-ac96-774b-bcce-b302099a8057"),
        405: api.request("PUT", "patients", {}),
    }
    for status, answer in provoked.items():
        assert answer.status_code == status
        error = answer.json()["error"]
        assert set(error) >= ERROR_KEYS
        assert error["request_id"] == answer["X-Request-ID"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error["timestamp"])


def test_an_unknown_address_below_api_is_answered_in_json(world: World) -> None:
    answer = ApiClient(world.riverside.users[Role.RECEPTIONIST]).get("no-such-thing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("abcd-1234", True),
        ("01890a5d-ac96-774b-bcce-b302099a8057", True),
        ("short", False),
        ("has space 12", False),
        ("x" * 65, False),
    ],
)
def test_a_well_formed_request_id_is_kept(world: World, sent: str, kept: bool) -> None:
    answer = ApiClient().get("/health", X_Request_ID=sent)
    assert (answer["X-Request-ID"] == sent) is kept
    assert re.fullmatch(r"[A-Za-z0-9-]{8,64}", answer["X-Request-ID"])


def test_timing_is_told(world: World) -> None:
    answer = ApiClient(world.riverside.users[Role.DOCTOR]).get("locations")
    assert re.fullmatch(r'total;dur=[\d.]+, db;dur=[\d.]+;desc="\d+ queries", cache;desc=(hit|miss)', answer["Server-Timing"])


def test_a_session_needs_the_csrf_token_for_unsafe_calls(world: World) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(world.riverside.users[Role.RECEPTIONIST])
    answer = client.post("/api/v2/patients", "{}", content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AUTHORIZATION_ERROR")


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/health", "/api/v2/patients", "/nowhere/"])
def test_security_headers(world: World, path: str) -> None:
    answer = ApiClient().get(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cache-Control"] in ("no-store", "private, no-cache")
