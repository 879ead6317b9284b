"""A person who is anonymised stands nowhere any more: not in a dump, a file, Redis, the spool or the log; also when it was cut off.

Four people with unmistakable words in every field and place. One is anonymised through the API; of two others the process is
killed before and within the second step, and the command takes it up; the fourth's time is over.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from tests.attack.anonymised_seed import (
    DRAFT,
    EMAIL,
    PASSWORD,
    WORDS,
    die_before_the_second_step,
    die_within_the_second_step,
    known_of,
    seed,
)
from tests.attack.test_leaks import Browser
from tests.factories.leaks import database_dump, files_in, redis_content, traces_of
from tests.factories.patience import eventually
from tests.factories.redis_server import redis_server
from tests.factories.server import ROOT, RUN, Server, serving

pytestmark = pytest.mark.thorough

VALUES = """
SELECT id FROM core_change WHERE row_id = %s AND operation <> 'erase' AND (old_values IS NOT NULL OR new_values IS NOT NULL)
"""

OLDER = (
    "UPDATE patients_patient SET created_at = now() - interval '3 years' WHERE id = %s",
    "UPDATE patients_document SET created_at = now() - interval '3 years' WHERE patient_id = %s",
)


@dataclass
class Clinic:
    server: Server
    redis: Any
    machine: Browser

    def patient(self, number: int) -> tuple[str, str]:
        key, mrn = self.server.seeded["patients"][number - 1]
        return str(key), str(mrn)

    def everywhere(self) -> dict[str, bytes]:
        """All that the installation has written."""
        spool = {f"spool {place}": content for place, content in files_in(Path(settings.HMS_SPOOL_DIR))}
        uploads = dict(files_in(Path(os.environ["HMS_UPLOADS_DIR"])))
        log = {"log": self.server.log.read_bytes()}
        return database_dump(self.server) | redis_content(self.redis.client()) | uploads | spool | log

    def traces(self, number: int) -> list[str]:
        return traces_of([*known_of(number), self.patient(number)[1]], self.everywhere())

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.server.connect() as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def manage(self, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=self.server.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def seal(self) -> None:
        """Rows are sealed once no open transaction of anybody on the server can add one below them."""

        def sealed() -> bool:
            self.manage("seal_audit", "--anchor")
            return not self.manage("verify_audit").startswith("0 ")

        eventually(sealed, 120)

    def files_of(self, number: int) -> set[str]:
        stored = self.ask("SELECT stored::text FROM patients_document WHERE patient_id = %s", self.patient(number)[0])
        return {name for (name,) in stored if name}


@pytest.fixture(scope="module")
def clinic(django_db_setup: None, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    nobody_takes_mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": "9", "EMAIL_USE_TLS": "false"}  # so letters wait
    variables = {"HMS_AUDIT_ANCHORS_DIR": str(tmp_path_factory.mktemp("anchors")), **nobody_takes_mail}
    with (
        redis_server() as redis,
        serving(f"erased_{worker_id}", seed=seed, variables={**variables, "REDIS_URL": redis.url}) as server,
    ):
        machine = Browser(server.url)
        status, answer = machine.say("POST", "auth/token", {"email": EMAIL, "password": PASSWORD})
        assert status == 200, answer
        machine.token = answer["data"]["access"]
        yield Clinic(server, redis, machine)


def used(clinic: Clinic, number: int) -> Browser:
    """Somebody's record is read, found, changed, half changed and taken out, and they look at it themselves."""
    key, _ = clinic.patient(number)
    machine, browser, own = clinic.machine, Browser(clinic.server.url), Browser(clinic.server.url)
    family = WORDS["family_name"].format(number)
    found = [
        machine.say("GET", f"patients/{key}"),
        machine.say("POST", "patients/search", {"search": WORDS["email"].format(number)}, Idempotency_Key=str(uuid4())),
        machine.say("PATCH", f"patients/{key}", {"notes": WORDS["notes"].format(number) + "."}, Idempotency_Key=str(uuid4())),
        machine.say("GET", f"appointments?patient={key}"),
    ]
    assert [status for status, _ in found] == [200] * 4 and json.dumps(found).count(family) >= 3
    assert browser.send("/sign-in/", {"email": EMAIL, "password": PASSWORD})[0] in (302, 303)
    assert family.encode() in browser.ask("GET", f"/patients/{key}/")[1]
    browser.send(f"/drafts/patient-edit:{key}/", {"notes": DRAFT.format(number)}, f"/patients/{key}/edit/")
    assert DRAFT.format(number).encode() in browser.ask("GET", f"/patients/{key}/edit/")[1]
    assert browser.send(f"/patients/{key}/export/", {"reason": "legal"})[1].startswith(b"PK")
    assert own.send("/sign-in/", {"email": WORDS["email"].format(number), "password": PASSWORD})[0] in (302, 303)
    assert family.encode() in own.ask("GET", "/my-record/")[1]
    return own


def is_gone(clinic: Clinic, number: int) -> None:
    """No byte of them, and nothing encrypted either that somebody with the keys could read."""
    key, _ = clinic.patient(number)
    assert clinic.traces(number) == []
    assert clinic.ask('SELECT state, "left" FROM patients_anonymisation WHERE patient_id = %s', key) == [("done", {})]
    empty = ("anonymised", b"", b"")
    assert clinic.ask("SELECT status, national_id, insurance_policy_number FROM patients_patient WHERE id = %s", key) == [empty]
    assert clinic.ask("SELECT id FROM core_draft WHERE form LIKE '%%' || %s", key) == []
    assert clinic.ask("SELECT token FROM patients_patienttoken WHERE patient_id = %s", key) == []
    assert clinic.ask("SELECT id FROM patients_patientaccount WHERE patient_id = %s", key) == []
    assert clinic.ask(VALUES, key) == []
    visit = ("completed", "", "Consultation")
    left = "SELECT a.status, a.notes, s.name FROM appointments_appointment a JOIN appointments_service s ON s.id = a.service_id "
    assert clinic.ask(f"{left} WHERE a.patient_id = %s", key) == [visit], "it can be counted still"
    assert clinic.manage("verify_audit").startswith(tuple("123456789"))


def test_nothing_says_who_it_was(clinic: Clinic) -> None:
    key, mrn = clinic.patient(1)
    own = used(clinic, 1)
    clinic.seal()
    before = {place.rpartition(": ")[0] for place in clinic.traces(1)}
    tables = {"patients_patient", "patients_document", "appointments_appointment", "appointments_appointmentchange", "core_change"}
    assert {f"table {one}" for one in (*tables, "core_user", "django_admin_log")} <= before, "else the proof proves nothing"
    files = clinic.files_of(1)
    messages, answers = "SELECT count(*) FROM core_outgoingmessage", "SELECT status FROM core_idempotencyrecord"
    [(letters,)], gone = clinic.ask(messages), clinic.ask(answers).count((410,))
    assert len(files) == 1 and letters > 1
    assert (200,) in clinic.ask(answers)

    body, again = {"mrn": mrn, "kind": "request", "reason": "Asked for in writing."}, str(uuid4())
    status, answer = clinic.machine.say("POST", f"patients/{key}/anonymise", body, Idempotency_Key=again)
    assert (status, answer["data"]["status"]) == (200, "anonymised")

    is_gone(clinic, 1)
    assert not any(one in place for one in files for place in clinic.everywhere())
    assert clinic.ask(messages) == [(letters - 1,)], "those of the others stay"
    assert clinic.ask(answers).count((410,)) >= gone + 2, "a search and a change"
    repeated = clinic.machine.say("POST", f"patients/{key}/anonymise", body, Idempotency_Key=again)
    assert (repeated[0], repeated[1]["data"]["status"]) == (200, "anonymised"), "a repeat of the request itself gets its answer"
    assert own.ask("GET", "/my-record/")[0] in (302, 303), "the account is closed"
    account = "SELECT is_active, full_name FROM core_user WHERE email LIKE '%%anonymised.invalid'"
    assert clinic.ask(account) == [(False, "Anonymised")]
    assert {place.rpartition(": ")[0] for place in clinic.traces(2)} >= {f"table {one}" for one in tables}, "nobody else's went"
    assert clinic.manage("seal_audit", "--anchor") and clinic.manage("verify_audit")


@pytest.mark.parametrize(("number", "dying"), [(2, die_before_the_second_step), (3, die_within_the_second_step)])
def test_killed_in_between_it_is_taken_up(clinic: Clinic, number: int, dying: Any) -> None:
    used(clinic, number)
    clinic.seal()
    name = f"{dying.__module__}:{dying.__name__}"
    done = subprocess.run(
        [sys.executable, "-c", RUN, name], cwd=ROOT, env=clinic.server.environment, capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr[-2000:]
    left = {place.rpartition(": ")[0] for place in clinic.traces(number)}
    assert {"table core_change", "table appointments_appointmentchange"} <= left, "it was in the middle"
    assert "table patients_patient" not in left
    said = eventually(lambda: clinic.manage("anonymise_patients", "--clinic", "erased", "--dry-run"))
    assert said == "1 to finish, 0 to anonymise (records are kept for 1 year).\n"
    assert clinic.manage("anonymise_patients", "--clinic", "erased").startswith("1 finished, 0 anonymised")
    is_gone(clinic, number)
    assert clinic.manage("anonymise_patients", "--clinic", "erased").startswith("0 finished, 0 anonymised")


def test_whose_time_is_over_goes_by_the_command(clinic: Clinic) -> None:
    key, _ = clinic.patient(4)
    used(clinic, 4)
    clinic.seal()
    command = ("anonymise_patients", "--clinic", "erased")
    assert clinic.manage(*command, "--dry-run").startswith("0 to finish, 0 to anonymise"), "registered today"
    with clinic.server.connect() as connection:
        for statement in OLDER:
            connection.execute(statement, [key])
    assert clinic.manage(*command, "--dry-run").startswith("0 to finish, 1 to anonymise")
    assert clinic.traces(4), "said, not done"
    assert clinic.manage(*command) == "0 finished, 1 anonymised (records are kept for 1 year).\n"
    is_gone(clinic, 4)
    assert clinic.ask("SELECT kind, by_id FROM patients_anonymisation WHERE patient_id = %s", key) == [("retention", None)]
