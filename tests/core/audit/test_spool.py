"""The spool: nothing that was acknowledged is lost, nothing is there twice, and what can't be written isn't shown."""

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from core.accounts.roles import Role
from core.audit.draining import drain, drain_now, spool
from core.audit.events import AT_ONCE, stored
from core.audit.models import AccessedPatient, AccessEvent
from core.audit.spool import HEAD, Events, Spool, SpoolUnwritable, taken_over, trouble_with, waiting
from core.tenancy.context import clinic_scope
from core.tenancy.ids import new_id
from patients.models import Patient
from tests.core.test_retry import end
from tests.factories.access_log import taken_events
from tests.factories.api_client import ApiClient, committed_client
from tests.factories.databases import another
from tests.factories.world import Place

KILLED = """
import os, signal, sys
from pathlib import Path
from core.audit.spool import Spool
spool = Spool(Path(sys.argv[1]))
spool.append(b"the first")
spool.append(b"the second")
print("written", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def own(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "access")


@pytest.fixture(autouse=True)
def nothing_of_others() -> Iterator[None]:
    taken_events()
    yield
    taken_events()


def contents(folder: Path) -> list[bytes]:
    found = []
    for path in waiting(folder):
        with taken_over(path) as file:
            found += Events(file) if file else ()
    return found


def test_what_a_killed_process_wrote_is_there(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, cwd=Path.cwd())
    assert (ended.stdout, ended.returncode) == (b"written\n", -9), ended.stderr
    assert contents(tmp_path) == [b"the first", b"the second"]


def test_the_file_of_a_living_process_is_left_alone(own: Spool) -> None:
    own.append(b"an event")
    assert contents(own.folder) == []
    own.hand_over()
    assert contents(own.folder) == [b"an event"]


def test_nobody_else_on_the_machine_may_read_it(own: Spool) -> None:
    own.append(b"an event")
    assert [path.stat().st_mode & 0o777 for path in (own.folder, *waiting(own.folder))] == [0o700, 0o600]


def test_many_threads_write_whole_events(own: Spool) -> None:
    def write(number: int) -> None:
        for count in range(200):
            own.append(f"{number} {count} ".encode() * (number + 1))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    own.hand_over()
    assert len(set(contents(own.folder))) == 8 * 200


def test_a_file_that_somebody_took_away_is_begun_anew(own: Spool) -> None:
    own.append(b"gone")
    waiting(own.folder)[0].unlink()
    own.append(b"kept")
    own.hand_over()
    assert contents(own.folder) == [b"kept"]


def test_an_event_that_is_cut_short_harms_no_other(own: Spool) -> None:
    own.append(b"whole")
    own.append(b"cut short")
    own.hand_over()
    (path,) = waiting(own.folder)
    events = Events(BytesIO(path.read_bytes()[:-3]))
    assert list(events) == [b"whole"] and not events.damaged


@pytest.mark.parametrize("at", [HEAD.size, 2 * HEAD.size + 6])
def test_a_changed_byte_is_noticed(own: Spool, at: int) -> None:
    for event in (b"first.", b"second"):
        own.append(event)
    own.hand_over()
    content = bytearray(waiting(own.folder)[0].read_bytes())
    content[at] ^= 1
    events = Events(BytesIO(content))
    assert len(list(events)) == 1 and events.damaged


def test_a_disk_block_of_zeros_is_no_event() -> None:
    events = Events(BytesIO(b"\0" * 4096))
    assert not list(events) and events.damaged


def test_an_event_that_does_not_fit_leaves_no_trace(own: Spool) -> None:
    """As on a full disk: the kernel takes a part."""
    own.append(b"x" * 4000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    before_signal = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4100, before[1]))
    try:
        with pytest.raises(SpoolUnwritable):
            own.append(b"y" * 4000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, before_signal)
    own.append(b"z")
    own.hand_over()
    assert contents(own.folder) == [b"x" * 4000, b"z"]


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The spool's folder can't be made: a file has its name."""
    (tmp_path / "taken").write_text("")
    spool.hand_over()
    monkeypatch.setattr(spool, "folder", tmp_path / "taken")
    return tmp_path / "taken"


def test_what_cannot_be_written_down_is_not_shown(riverside: Place, sign_in: Any, no_room: Path) -> None:
    patient = riverside.patients[0]
    api = ApiClient(riverside.users[Role.NURSE])
    answer = api.get(f"patients/{patient.pk}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert patient.mrn not in answer.content.decode()
    assert answer["Retry-After"]
    page = sign_in(riverside.users[Role.NURSE], riverside.clinic).get(f"/patients/{patient.pk}/")
    assert page.status_code == 503 and patient.mrn not in page.text
    assert api.get("rooms").status_code == 200
    assert trouble_with(no_room)


def test_what_cannot_be_written_down_is_not_changed_either(riverside: Place, no_room: Path) -> None:
    body = {"given_name": "Ottilie", "family_name": "Wagstaffe", "date_of_birth": "1950-02-03", "sex": "female"}
    assert ApiClient(riverside.users[Role.RECEPTIONIST]).post("patients", body).status_code == 503
    with clinic_scope(riverside.clinic, reason="test"):
        assert not Patient.objects.filter(family_name="Wagstaffe").exists()


def look(place: Place) -> Any:
    patient = place.patients[0]
    assert ApiClient(place.users[Role.NURSE]).get(f"patients/{patient.pk}").status_code == 200
    return patient


def test_a_request_that_runs_again_after_its_commit_broke_is_one_event(riverside: Place) -> None:
    client = committed_client(riverside.users[Role.NURSE], riverside.clinic)
    with another("default") as wrapper:
        commit, asked, broken = wrapper._commit, [], []

        def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            asked.extend(["patients"] if "patients_patient" in sql else [])
            return execute(sql, params, many, context)

        def break_once() -> None:
            if asked and not broken:
                broken.append(wrapper.connection.info.backend_pid)
                end(broken[0])
            commit()

        wrapper._commit = break_once
        with wrapper.execute_wrapper(look):
            assert client.get("patients").status_code == 200
    first, second = taken_events()
    assert broken and first.patients == second.patients
    assert (first.event_id, first.at) == (second.event_id, second.at), "what the table takes once"


def test_it_reaches_the_database_once_however_often_it_is_drained(riverside: Place) -> None:
    patient = look(riverside)
    spool.hand_over()
    (path,) = waiting(spool.folder)
    content = path.read_bytes()
    assert drain() == 1
    assert not waiting(spool.folder)
    path.write_bytes(content)
    assert drain_now() == 1
    with clinic_scope(riverside.clinic, reason="test"):
        (event,) = AccessEvent.objects.all()
        (accessed,) = AccessedPatient.objects.all()
    assert (event.route, event.method, event.status, event.reading) == ("api-v2:patient-detail", "GET", 200, "view")
    assert event.user_id == riverside.users[Role.NURSE].pk
    assert (accessed.patient_id, accessed.event_id, accessed.at) == (patient.pk, event.event_id, event.at)


@pytest.mark.parametrize("at_once", [True, False], ids=["in one piece", "later"])
def test_all_whom_the_runs_of_a_request_showed_are_of_its_one_event(at_once: bool, riverside: Place) -> None:
    first, second, third = (new_id() for _ in range(3))
    event = spooled(riverside)
    ran_again = [
        event.replace(shown_by(event), (one.hex + other.hex).encode()) for one, other in ((first, second), (second, third))
    ]
    for some in [ran_again] if at_once else [[one] for one in ran_again]:
        assert stored([spooled(riverside), *some]) == 1 + len(some)
    with clinic_scope(riverside.clinic, reason="test"):
        (known,) = AccessEvent.objects.filter(event_id=event[2:38].decode())
        shown = AccessedPatient.objects.filter(event_id=known.event_id).values_list("patient_id", flat=True)
        assert sorted(shown) == sorted([first, second, third])


def test_a_damaged_file_is_kept_and_its_whole_events_are_saved(riverside: Place, caplog: Any) -> None:
    look(riverside)
    look(riverside)
    spool.hand_over()
    (path,) = waiting(spool.folder)
    content = bytearray(path.read_bytes())
    content[HEAD.size + 3] ^= 1
    path.write_bytes(bytes(content))
    assert drain() == 1
    assert "damaged" in caplog.text
    kept = path.with_suffix(".damaged")
    assert kept.exists() and not waiting(spool.folder)
    kept.unlink()


@pytest.mark.parametrize(
    "amiss", [b'{"an": "other"}', b"[1, 2]", b"not JSON", b"[1, 2, 3, 4]", b"[1,2,3,4,5,6,7,8,9,10,11,12]", b"3"]
)
def test_an_event_that_no_table_takes_holds_up_no_other(riverside: Place, caplog: Any, amiss: bytes) -> None:
    known = spooled(riverside)
    look(riverside)
    for event in (amiss, known.replace(b'"GET"', b'"\\u0000"')):
        spool.append(event)
    look(riverside)
    spool.hand_over()
    (path,) = waiting(spool.folder)
    assert drain() == 2
    assert caplog.text.count("refused an event") == 2
    with clinic_scope(riverside.clinic, reason="test"):
        assert AccessEvent.objects.count() == 2
    kept = path.with_suffix(".damaged")
    assert kept.exists() and not waiting(spool.folder)
    kept.unlink()


def spooled(place: Place) -> bytes:
    """An event as it is written to the spool, of a look that is in no file any more."""
    look(place)
    spool.hand_over()
    (path,) = waiting(spool.folder)
    (event,) = Events(BytesIO(path.read_bytes()))
    path.unlink()
    return event.replace(event[2:38], str(new_id()).encode())


def shown_by(event: bytes) -> bytes:
    """The patients in it, as they are written there: they stand last."""
    return event.rpartition(b',"')[2].removesuffix(b'"]')


def test_what_has_gathered_is_read_piece_by_piece(riverside: Place) -> None:
    """An hour without a database must not fill the memory at its end."""
    event, unwritten = spooled(riverside), []

    def many() -> Iterator[bytes]:
        for number in range(1, 3 * AT_ONCE + 1):
            if number % 100 == 0:
                with clinic_scope(riverside.clinic, reason="test"):
                    unwritten.append(number - AccessEvent.objects.count())
            yield event.replace(event[2:38], str(new_id()).encode())

    assert stored(many()) == 3 * AT_ONCE
    assert max(unwritten) == AT_ONCE


def test_the_command_says_what_it_did(riverside: Place, capsys: Any) -> None:
    look(riverside)
    call_command("drain_access_log")
    assert capsys.readouterr().out == "1 events written.\n"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_accessevent SET user_id = NULL",
        "DELETE FROM core_accessevent",
        "TRUNCATE core_accessevent",
        "UPDATE core_accessedpatient SET at = now()",
        "DELETE FROM core_accessedpatient",
        "SELECT count(*) FROM core_accessevent_default",
        "DELETE FROM core_accessedpatient_default",
        "SELECT hms_drop_access_month('2020-01-01')",
        "SELECT hms_make_access_month('2020-01-01')",
    ],
)
def test_the_application_cannot_tamper_with_it(statement: str, in_riverside: Place) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_another_clinic_sees_none_of_it(riverside: Place, hillcrest: Place) -> None:
    look(riverside)
    drain_now()
    with clinic_scope(hillcrest.clinic, reason="test"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_accessevent")
        assert cursor.fetchone() == (0,)
    with clinic_scope(riverside.clinic, reason="test"):
        assert AccessEvent.objects.count() == 1
