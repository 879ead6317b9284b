"""Backups by the commands, with PostgreSQL's own programs: what comes back is what was there, or nothing takes its place."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.backup.errors import BackupTrouble
from core.backup.programs import program_for
from tests.core.backup.at_work import Installation, installation
from tests.core.backup.seed import go_on_working, seed
from tests.factories.patience import eventually
from tests.factories.server import RUN, _run

pytestmark = pytest.mark.slow  # by themselves: a restore is one long transaction, which holds back what other tests wait for

COPY = "_copy"


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation("backup", tmp_path_factory.mktemp("backup")) as made:
        _run([sys.executable, "-c", RUN, f"{seed.__module__}:{seed.__name__}"], made.environment)
        made.done("backup")
        yield made
        for name in made.databases():
            made.drop(name)


@pytest.fixture
def copy(hospital: Installation) -> Iterator[str]:
    """The name of a database that isn't there yet, and isn't there afterwards."""
    hospital.drop(hospital.database + COPY)
    yield hospital.database + COPY
    hospital.drop(hospital.database + COPY)


def newest(hospital: Installation) -> Path:
    return max(hospital.backups.glob("hms-*.backup"))


def test_every_table_and_every_document_comes_back(hospital: Installation, copy: str, tmp_path: Path) -> None:
    before = hospital.tables()
    hospital.done("backup")
    told = json.loads(
        hospital.done("restore", "newest", "--into", copy, "--documents", str(tmp_path / "documents"), "--verify", "--json")
    )
    assert told["findings"] == [] and told["verified"] and told["documents"] == 24
    assert hospital.tables(copy) == before
    assert hospital.documents(tmp_path / "documents") == hospital.documents() and len(hospital.documents()) == 24
    assert sum(count for _digest, count in before.values()) > 100


def test_what_protects_the_rows_comes_back(hospital: Installation, copy: str) -> None:
    """Whoever serves sees one clinic of the restored database, as ever."""
    hospital.done("restore", "newest", "--into", copy)
    with hospital.connect(copy) as connection:
        connection.execute("SET ROLE hms_app")
        (without,) = connection.execute("SELECT count(*) FROM patients_patient").fetchone() or (0,)
        (clinic,) = connection.execute("SELECT id FROM core_clinic WHERE slug = 'riverside'").fetchone() or ("",)
        connection.execute("SELECT set_config('hms.clinic_id', %s, false)", [str(clinic)])
        clinics = connection.execute("SELECT DISTINCT clinic_id FROM patients_patient").fetchall()
        assert without == 0 and clinics == [(clinic,)]
        with pytest.raises(Exception, match="permission denied"):
            connection.execute("DELETE FROM patients_patient")


def test_a_backup_of_a_busy_day_is_of_one_moment(hospital: Installation, copy: str, tmp_path: Path) -> None:
    """Patients come in pairs with a document while it is made: no half pair, no document without its file."""
    at_work = hospital.running(go_on_working)
    try:
        told = json.loads(hospital.done("backup", "--json"))
    finally:
        at_work.kill()
        at_work.communicate()
    assert told["missing"] == []
    documents = tmp_path / "documents"
    hospital.done("restore", told["name"], "--into", copy, "--documents", str(documents), "--verify")
    with hospital.connect(copy) as connection:
        pairs = connection.execute(
            "SELECT family_name, count(*) FROM patients_patient WHERE mrn LIKE 'W%' GROUP BY 1 HAVING count(*) <> 2"
        ).fetchall()
        (patients,) = connection.execute("SELECT count(*) FROM patients_patient WHERE mrn LIKE 'W%'").fetchone() or (0,)
        named = {str(one) for (one,) in connection.execute("SELECT stored FROM patients_document WHERE stored IS NOT NULL")}
    with hospital.connect() as connection:
        (later,) = connection.execute("SELECT count(*) FROM patients_patient WHERE mrn LIKE 'W%'").fetchone() or (0,)
    assert pairs == [] and 0 < patients < later
    assert {Path(place).name for place in hospital.documents(documents)} == named


def test_a_restored_installation_opens_its_documents(hospital: Installation, tmp_path: Path) -> None:
    """On another machine: an empty database, no documents, the same keys."""
    hospital.done("backup")
    before = hospital.documents()
    with installation("backup_elsewhere", tmp_path, HMS_BACKUP_TARGET=str(hospital.backups)) as other:
        assert "verified" in other.done("restore", "newest", "--verify")
        restored = other.documents()
        assert restored and restored.items() <= before.items()
        assert len(before) - len(restored) <= 1  # what was being written as a test killed its writer: no row names it
        assert [name for name in other.databases() if "restoring" in name] == []
        other.done("sweep_uploads", "--dry-run")
        told = other.done("rotate_encryption_keys", "--all", HMS_KEYS_KEPT="0.1")  # opens every document and every value
        assert told.count("Everything stands under data key 2.") == 2
        assert other.documents().keys() == restored.keys() and other.documents() != restored


def test_a_database_in_use_is_refused_and_with_replace_set_aside(hospital: Installation, tmp_path: Path) -> None:
    with installation("backup_used", tmp_path, HMS_BACKUP_TARGET=str(hospital.backups)) as other:
        other.done("restore", "newest")
        with other.connect() as connection:
            connection.execute("UPDATE core_clinic SET name = 'Changed since' WHERE slug = 'riverside'")
        assert "it holds clinics or accounts" in other.refused("restore", "newest")
        with other.connect():
            assert "Somebody is connected" in other.refused("restore", "newest", "--replace")
        assert other.databases() == [other.database]
        told = other.done("restore", "newest", "--replace", "--verify")
        aside = next(name for name in other.databases() if "_before_" in name)
        assert aside in told
        names = "SELECT name FROM core_clinic WHERE slug = 'riverside'"
        with other.connect(aside) as old, other.connect() as new:
            assert (old.execute(names).fetchone(), new.execute(names).fetchone()) == (("Changed since",), ("Riverside Practice",))
        other.drop(aside)


# --- What is refused ---------------------------------------------------------------------------------------------------------
def harmed(hospital: Installation, folder: Path, change: Any) -> tuple[str, str]:
    """A copy of the newest backup, changed; where it lies, and its name."""
    content = bytearray(newest(hospital).read_bytes())
    (folder / newest(hospital).name).write_bytes(change(content))
    return str(folder), newest(hospital).name


def flipped(content: bytearray) -> bytes:
    content[len(content) // 2] ^= 0x20
    return bytes(content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flipped, "is damaged"),
        (lambda content: bytes(content[: len(content) * 2 // 3]), "ends too early"),
        (lambda content: b"", "no backup of HMS"),
        (lambda content: b"PGDMP" + bytes(content), "no backup of HMS"),
    ],
)
def test_a_harmed_backup_leaves_nothing(hospital: Installation, copy: str, tmp_path: Path, change: Any, words: str) -> None:
    target, name = harmed(hospital, tmp_path, change)
    before = hospital.databases()
    documents = tmp_path / "documents"
    assert words in hospital.refused("restore", name, "--target", target, "--into", copy, "--documents", str(documents))
    assert hospital.databases() == before and list(documents.iterdir()) == []


def test_a_wrong_key_is_named(hospital: Installation, copy: str) -> None:
    other = "9:" + base64.urlsafe_b64encode(os.urandom(32)).decode()
    said = hospital.refused("restore", "newest", "--into", copy, HMS_ENCRYPTION_KEYS=other)
    assert "No key of HMS_ENCRYPTION_KEYS opens this backup" in said


def test_no_backup_and_no_target_are_said(hospital: Installation, tmp_path: Path) -> None:
    assert "There is no backup yet" in hospital.refused("restore", "newest", "--target", str(tmp_path / "none"))
    assert "can't be read: No such file" in hospital.refused("restore", "hms-20260101T000000Z-00000000.backup", "--drill")
    assert "HMS_BACKUP_TARGET" in hospital.refused("backup", HMS_BACKUP_TARGET="")


@pytest.mark.parametrize(("version", "words"), [("", "is not installed"), ("13.4", r"older than the server \(18\)")])
def test_a_pg_dump_that_is_missing_or_too_old_is_said(tmp_path: Path, settings: Any, version: str, words: str) -> None:
    settings.HMS_POSTGRES_BIN = str(tmp_path)
    if version:
        program(tmp_path, version)
    with pytest.raises(BackupTrouble, match=rf"^pg_dump .*{words}.*install postgresql-client-18 or set HMS_POSTGRES_BIN"):
        program_for("pg_dump", 18)


def test_one_of_the_server_s_version_goes_before_a_newer_one(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HMS_POSTGRES_BIN = ""
    for version in ("19.1", "17.2"):
        (tmp_path / version / "bin").mkdir(parents=True)
        program(tmp_path / version / "bin", version)
    monkeypatch.setattr("core.backup.programs.DEBIANS_FOLDER", tmp_path)
    assert program_for("pg_dump", 17) == str(tmp_path / "17.2" / "bin" / "pg_dump")
    assert program_for("pg_dump", 19) == str(tmp_path / "19.1" / "bin" / "pg_dump")


def program(folder: Path, version: str) -> None:
    (folder / "pg_dump").write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
    (folder / "pg_dump").chmod(0o755)


def test_a_full_disk_is_said_and_leaves_nothing(hospital: Installation, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=False, capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted here")
    try:
        said = hospital.refused("backup", "--target", str(small / "backups"))
        assert "No space left on device" in said and list((small / "backups").iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_document_without_its_file_is_said_and_the_rest_is_backed_up(hospital: Installation, tmp_path: Path) -> None:
    place = sorted(hospital.documents())[0]
    content = (hospital.uploads / place).read_bytes()
    (hospital.uploads / place).unlink()
    ended = hospital.manage("backup", "--target", str(tmp_path), "--json")
    (hospital.uploads / place).write_bytes(content)
    assert ended.returncode == 2 and json.loads(ended.stdout)["missing"] == [place]
    told = json.loads(hospital.done("restore", "newest", "--target", str(tmp_path), "--drill", "--json"))
    assert told["missing"] == [place] and told["findings"] == []


# --- Killed ------------------------------------------------------------------------------------------------------------------
def test_a_killed_backup_leaves_no_backup_and_the_next_one_works(hospital: Installation, tmp_path: Path) -> None:
    target = tmp_path / "backups"
    backup = hospital.started("backup", "--target", str(target))
    eventually(lambda: target.is_dir() and any(target.iterdir()), seconds=120)
    backup.send_signal(signal.SIGKILL)
    backup.communicate()
    assert [one.name[:16] for one in target.iterdir()] == [".unfinished-hms-"]
    assert hospital.done("backup", "--list", "--target", str(target)) == ""
    hospital.done("backup", "--target", str(target))
    assert [name[:4] for name in sorted(one.name for one in target.iterdir())] == ["hms-"]


def test_a_killed_drill_leaves_nothing_once_the_next_one_has_begun(hospital: Installation) -> None:
    drill = hospital.started("restore", "newest", "--drill")
    eventually(lambda: any("_drill_" in name for name in hospital.databases()), seconds=120)
    drill.send_signal(signal.SIGKILL)
    drill.communicate()
    assert [name for name in hospital.databases() if "_drill_" in name] != []
    eventually(lambda: nobody_at_work(hospital))
    hospital.done("restore", "newest", "--drill")
    assert hospital.databases() == [hospital.database]


def nobody_at_work(hospital: Installation) -> bool:
    """The server has noticed that the killed process is gone."""
    with hospital.connect("postgres") as connection:
        return connection.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid IS NOT NULL").fetchone() is None
