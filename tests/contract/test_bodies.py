"""JSON that two readers could take for different things, or that would cost us dearly, is refused with a word on what is wrong."""

import json

import pytest

from core.accounts.roles import Role
from core.api.parsers import DEPTH, DIGITS
from tests.factories.api_client import ApiClient
from tests.factories.world import Place


def nested(depth: int, *, inner: bytes = b"1") -> bytes:
    """`depth` levels in all; the outermost is the body itself."""
    return b'{"a":' * depth + inner + b"}" * depth


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (nested(DEPTH + 1), "too_deep", ""),
        (b'{"a":' + b"[" * DEPTH + b"]" * DEPTH + b"}", "too_deep", ""),
        (nested(150_000), "too_deep", ""),
        (b'{"a":' + b"[" * 200_000, "too_deep", ""),
        (b'{"name": "A", "name": "B"}', "duplicate", "name"),
        (b'{"name": "A", "address": {"x": 1, "x": 2}}', "duplicate", "x"),
        (b'{"name": NaN}', "invalid", ""),
        (b'{"name": -Infinity}', "invalid", ""),
        (b'{"name": 1e999}', "too_large", ""),
        (b'{"name": ' + b"9" * (DIGITS + 1) + b"}", "too_large", ""),
        (b'{"name": -' + b"9" * 100_000 + b"}", "too_large", ""),
        (b'{"name": "A",}', "invalid", ""),
        (b"{'name': 'A'}", "invalid", ""),
        (b'\xef\xbb\xbf{"name": "A"}', "invalid", ""),
        (json.dumps({"name": "A"}).encode("utf-16"), "invalid", ""),
        (b'{"name": "\xff"}', "invalid", ""),
        (b"[1, 2]", "invalid", ""),
    ],
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_such_a_body_is_refused_by_name(riverside: Place, version: str, body: bytes, code: str, field: str) -> None:
    api = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    answer = api.request("POST", f"/api/{version}/locations", body)
    assert answer.status_code == 400, answer.content
    error = answer.json()["error"]
    assert error["code"] == "BAD_REQUEST"
    assert (error["details"][0]["code"], error["details"][0]["field"]) == (code, field)
    if code == "too_deep":
        assert str(DEPTH) in error["message"]


def test_what_is_just_allowed_is_looked_at(riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    for body in (nested(DEPTH), b'{"a": ' + b"9" * DIGITS + b"}"):
        error = api.request("POST", "locations", body).json()["error"]
        assert error["code"] == "VALIDATION_ERROR"
        assert {"field": "a", "code": "unknown_field", "message": "There is no such field."} in error["details"]


@pytest.mark.parametrize("number", [9_999_999_999_999_999_999, -1, 1.5, 1e308, 2**31])
def test_a_number_that_no_column_holds_is_the_fields_fault(riverside: Place, number: float) -> None:
    api = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    body = {"name": "ECG", "duration_minutes": number}
    answer = api.post("services", body)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "duration_minutes")


def test_one_megabyte_is_allowed_and_one_byte_more_is_not(riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    frame = len(b'{"name": ""}')
    for length, status in ((1024 * 1024, 400), (1024 * 1024 + 1, 413)):
        body = b'{"name": "' + b"x" * (length - frame) + b'"}'
        assert len(body) == length
        assert api.request("POST", "locations", body).status_code == status


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*;q=0.1", "nonsense"])
def test_whatever_is_accepted_the_answer_is_json(riverside: Place, accept: str) -> None:
    answer = ApiClient(riverside.users[Role.CLINIC_ADMIN]).get("locations", Accept=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
