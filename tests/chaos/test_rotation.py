"""Keys are renewed while a clinic works, and the command is killed in the middle: nobody notices, and nothing is left behind."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.rotation_day import PATIENTS, Desk, identity_of, seed
from tests.factories.server import ROOT, Server, serving

pytestmark = pytest.mark.slow

HEADERS = """
SELECT count(DISTINCT substring(value FROM 1 FOR 17)), min(get_byte(value, 0)) FROM (
    SELECT national_id AS value FROM patients_patient UNION ALL SELECT insurance_policy_number FROM patients_patient) AS every
WHERE value <> ''
"""
UNDER = "SELECT count(*) FROM patients_patient WHERE national_id <> '' AND substring(national_id FROM 2 FOR 16) = uuid_send(%s)"
CLEAR = "SELECT count(*) FROM patients_patient WHERE position(%s::bytea IN national_id) > 0"
KEYS = "SELECT kind, number, state FROM core_clinickey ORDER BY kind, number"


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    with serving("rotation", seed=seed, variables={"HMS_KEYS_KEPT": "2"}, static=False) as server:
        yield server


def rotating(server: Server, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-u", "manage.py", "rotate_encryption_keys", "--clinic", "keys", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def killed_when(process: "subprocess.Popen[str]", is_half_done: Any) -> None:
    """kill -9, as soon as it is so. Fails when the command ended before."""
    while not is_half_done():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.002)
    process.kill()
    process.communicate()


def asked(server: Server, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with server.connect() as connection:
        return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]


def newest(server: Server) -> Any:
    found = asked(server, "SELECT id, number FROM core_clinickey WHERE kind = 'data' AND state = 'active'")
    return found[0]


def checked(desk: Desk, since: float) -> None:
    """Everybody was answered, and rightly."""
    statuses = desk.statuses(since, time.monotonic())
    assert set(statuses) <= {200}, (statuses, desk.lost)
    assert statuses[200] > 50
    assert desk.wrong == []


def test_a_clinics_data_goes_over_to_a_new_key_under_load_and_through_a_kill(busy: Server) -> None:
    desk = Desk(busy.host, busy.seeded)
    desk.sign_in()
    since, (old, number) = time.monotonic(), newest(busy)
    with desk.running(writers=2, readers=4):
        first = rotating(busy)
        killed_when(first, lambda: newest(busy)[1] > number and 0 < asked(busy, UNDER, newest(busy)[0])[0][0] < PATIENTS)
        assert asked(busy, UNDER, old)[0][0] > 0, "it was in the middle"
        second = rotating(busy)
        said = second.communicate()[0]
        assert second.returncode == 0, said
        assert f"An earlier rotation to key {number + 1} goes on." in said
    checked(desk, since)
    assert asked(busy, HEADERS) == [(1, 2)], "everything stands under one key, a clinic's"
    assert asked(busy, UNDER, newest(busy)[0]) == [(PATIENTS,)]
    assert asked(busy, CLEAR, identity_of(2).encode()) == [(0,)]
    assert [row for row in asked(busy, KEYS) if row[0] == "data"] == [("data", 1, "retired"), ("data", 2, "active")]
    for place, wanted in desk.now.items():
        status, answer = desk._ask("after", "GET", f"/api/v2/patients/{busy.seeded['patients'][place]}")
        assert (status, answer["data"]["national_id"]) == (200, wanted)
    print(f"\n{len(desk.told)} answers during the rotation")  # noqa: T201


def test_patients_are_found_all_the_time_while_a_new_search_key_takes_over(busy: Server) -> None:
    desk = Desk(busy.host, busy.seeded)
    desk.sign_in()
    since = time.monotonic()
    (before,) = asked(busy, "SELECT count(*) FROM patients_patienttoken")[0]
    with desk.running(writers=2, readers=4):
        first = rotating(busy, "--search")
        killed_when(first, lambda: asked(busy, "SELECT count(*) FROM patients_patienttoken")[0][0] > before + 3000)
        second = rotating(busy, "--search")
        said = second.communicate()[0]
        assert second.returncode == 0, said
    checked(desk, since)
    states = [("search", 1, "retired"), ("search", 2, "active")]
    assert [row for row in asked(busy, KEYS) if row[0] == "search"] == states
    (after,) = asked(busy, "SELECT count(*) FROM patients_patienttoken")[0]
    assert abs(after - before) < before * 0.02, "the old tokens are gone, none of the new is missing"
    for place, wanted in list(desk.now.items())[:50]:
        status, answer = desk._ask("after", "POST", "/api/v2/patients/search", {"search": wanted})
        assert (status, [one["id"] for one in answer["data"]]) == (200, [busy.seeded["patients"][place]])
