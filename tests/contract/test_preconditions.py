"""Nobody overwrites what they have not seen: `If-Match` on every change of a record, `If-None-Match` on every read."""

from typing import Any

import pytest

from core.accounts.roles import Role
from core.api.versioning import IN_PATHS
from tests.core.test_api_contract import by_id, url_of
from tests.factories.api_client import ApiClient
from tests.factories.bodies import body_for
from tests.factories.openapi import Operation, operations
from tests.factories.world import Place, World

EVERY = [operation for version in IN_PATHS for operation in operations(version)]
READS = [one for one in EVERY if one.method == "get" and not one.answers_a_file]
UNSAFE = [operation for operation in EVERY if operation.method != "get"]
CHANGES = [operation for operation in UNSAFE if operation.parameter("If-Match")]
UNVERSIONED = ("/auth/sessions/", "break-glass", "/jobs/", "/notifications/", "/webhook-deliveries/")  # of these are none counted
LISTS = {(operation.version, operation.path) for operation in EVERY if operation.method == "get"}


def call(operation: Operation, place: Place, url: str, tag: str) -> Any:
    body = None if operation.method == "delete" else body_for(operation.method, operation.path, place)
    return ApiClient(place.users[Role.CLINIC_ADMIN]).request(operation.method.upper(), url, body, If_Match=tag)


@pytest.mark.parametrize("operation", UNSAFE, ids=by_id)
def test_every_change_of_a_record_takes_a_precondition(operation: Operation) -> None:
    to_a_list = operation.method == "post" and (operation.version, operation.path) in LISTS
    adds = "{" not in operation.path or to_a_list or any(part in operation.path for part in UNVERSIONED)
    assert (operation.parameter("If-Match") is None) is adds
    assert (operation.answer(412) is None) is adds


@pytest.mark.parametrize("operation", CHANGES, ids=by_id)
def test_a_stale_or_foreign_tag_is_refused(operation: Operation, world: World) -> None:
    url = url_of(operation, world.riverside)
    for tag in ('"999999-0123456789abcdef"', '"nonsense"', "1", '"1-ab", "2-cd"'):
        answer = call(operation, world.riverside, url, tag)
        assert (answer.status_code, answer.json()["error"]["code"]) == (412, "PRECONDITION_FAILED"), answer.content


@pytest.mark.parametrize("operation", [one for one in CHANGES if one.method in ("patch", "delete")], ids=by_id)
def test_with_the_tag_that_was_read_it_is_done(operation: Operation, world: World) -> None:
    place, url = world.riverside, url_of(operation, world.riverside)
    tag = ApiClient(place.users[Role.CLINIC_ADMIN]).get(url)["ETag"]
    answer = call(operation, place, url, tag)
    assert answer.status_code in (200, 204), answer.content
    again = call(operation, place, url, tag)
    assert again.status_code in (404, 412), "the second of two who read the same is told"


def test_of_two_who_take_the_same_step_the_second_is_told(riverside: Place) -> None:
    api = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    visit = api.post("appointments", body_for("post", "/api/v2/appointments", riverside))
    path, tag = f"appointments/{visit.json()['data']['id']}", visit["ETag"]
    assert api.post(f"{path}/check-in", {}, If_Match=tag).status_code == 200
    assert api.post(f"{path}/cancel", {}, If_Match=tag).status_code == 412
    assert api.get(path).json()["data"]["status"] == "checked_in"


@pytest.mark.parametrize("operation", READS, ids=by_id)
def test_every_read_takes_the_tag_of_an_earlier_answer(operation: Operation) -> None:
    assert operation.parameter("If-None-Match")
    assert operation.answer(304)
    assert operation.headers(200)["ETag"]["required"] and operation.headers(304)["ETag"]["required"]
