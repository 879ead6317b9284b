"""A clinic from one installation into another by the commands: all of it, nothing of others, or nothing at all."""

import base64
import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from core.backup.sealing import opened
from core.moving.archive import read_key
from core.moving.belongings import belongings
from tests.core.backup.at_work import Installation, installation
from tests.core.backup.seed import go_on_working
from tests.core.moving.seed import add_documents, another_clinic, read_the_clinic
from tests.factories.patience import eventually
from tests.factories.server import RUN, _run

pytestmark = pytest.mark.slow  # by themselves: an import holds the clinics' tables
ROWS = 'SELECT array_agg(r::text ORDER BY r::text COLLATE "C") FROM {} r'


def own_secrets() -> dict[str, str]:
    """Another installation has other keys."""
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    return {"HMS_ENCRYPTION_KEYS": f"1:{key}", "HMS_SEARCH_KEY": os.urandom(20).hex(), "SECRET_KEY": os.urandom(40).hex()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation("moving_home", tmp_path_factory.mktemp("home"), HMS_DEMO="1") as made:
        made.done("seed_demo", "--patients", "15")
        run(made, add_documents)
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Installation]:
    """An installation of its own keys, with a clinic and a person already."""
    with installation("moving_other", tmp_path / "other", **own_secrets()) as made:
        run(made, another_clinic)
        yield made


def run(where: Installation, function: Any) -> Any:
    return json.loads(_run([sys.executable, "-c", RUN, f"{function.__module__}:{function.__name__}"], where.environment))


def exported(home: Installation, folder: Path) -> tuple[str, str]:
    """File and key."""
    file, key = folder / "riverside.hms", folder / "riverside.key"
    home.done("export_clinic", "riverside", "--output", str(file), "--key-file", str(key))
    return str(file), str(key)


def rows(where: Installation, slug: str) -> dict[str, Any]:
    """Every row of every table that a clinic has, in the columns that stay what they were."""
    with where.connect() as connection:
        (clinic,) = connection.execute("SELECT id FROM core_clinic WHERE slug = %s", [slug]).fetchone() or (None,)
        connection.execute("SET TimeZone = 'UTC'")
        return {
            one.table: (connection.execute(sql.SQL(ROWS).format(one.rows(one.kept))).fetchone() or ([],))[0] or []
            for one in belongings(connection, clinic)
        }


def clinic(where: Installation) -> dict[str, Any]:
    with where.connect() as connection:
        (row,) = connection.execute("SELECT to_jsonb(c) FROM core_clinic c WHERE slug = 'riverside'").fetchone() or ({},)
        return dict(row)


def everything(where: Installation) -> Any:
    return where.tables(), where.documents()


def plain(file: str, key: str) -> bytes:
    return b"".join(opened([Path(file).read_bytes()], ring=read_key(Path(key))))


# --- What comes ----------------------------------------------------------------------------------------------------------------
def test_every_row_and_every_document_comes(home: Installation, other: Installation, tmp_path: Path) -> None:
    before, elsewhere = rows(home, "riverside"), rows(other, "elsewhere")
    file, key = exported(home, tmp_path)
    told = json.loads(other.done("import_clinic", file, "--key-file", key, "--verify", "--json"))
    after = rows(other, "riverside")
    with_import = {"core_change": 1}  # that it was suspended stands in its history
    for table, there in before.items():
        if table != "core_clinic":
            assert set(there) <= set(after[table]), table
            assert len(after[table]) == len(there) + with_import.get(table, 0), table
        assert told["rows"][table] == len(there), table
    assert sum(len(there) for there in before.values()) > 1000
    assert len([table for table, there in before.items() if there]) > 25
    assert len(before["core_accessevent"]) == 1 and len(before["core_accessedpatient"]) == 3
    documents = {name: content for name, content in home.documents().items() if name.startswith(told["clinic"])}
    assert other.documents() == documents and len(documents) == told["documents"] > 6
    assert rows(other, "elsewhere") == elsewhere
    assert clinic(other) == clinic(home) | {"state": "suspended", "updated_at": clinic(other)["updated_at"]}
    used = run(other, read_the_clinic)
    assert used["was"] == "suspended" and used["found"] and len(used["opened"]) == len(documents)
    other.done("seal_audit")
    other.done("verify_audit")
    assert "Everything stands under data key 2." in other.done("rotate_encryption_keys", "--all", HMS_KEYS_KEPT="0.1")
    assert "is here already" in other.refused("import_clinic", file, "--key-file", key)


def test_nothing_of_another_clinic_is_in_the_file(home: Installation, tmp_path: Path) -> None:
    content = plain(*exported(home, tmp_path))
    with home.connect() as connection:
        told = connection.execute(
            "SELECT slug, id::text FROM core_clinic UNION ALL SELECT c.slug, words FROM core_clinic c JOIN LATERAL ("
            "SELECT id::text AS words FROM patients_patient p WHERE p.clinic_id = c.id "
            "UNION ALL SELECT mrn FROM patients_patient p WHERE p.clinic_id = c.id "
            "UNION ALL SELECT id::text FROM appointments_appointment a WHERE a.clinic_id = c.id "
            "UNION ALL SELECT u.email FROM core_user u JOIN core_membership m ON m.user_id = u.id WHERE m.clinic_id = c.id) w "
            "ON true"
        ).fetchall()
    own = {words for slug, words in told if slug == "riverside"}
    others = {words for slug, words in told if slug != "riverside"} - own
    assert len(own) > 50 and len(others) > 50
    assert all(words.encode() in content for words in own)
    assert [words for words in others if words.encode() in content] == []
    assert Path(tmp_path / "riverside.key").stat().st_mode & 0o077 == 0
    assert not any(words.encode() in Path(tmp_path / "riverside.hms").read_bytes() for words in own)


def test_an_export_of_a_busy_day_is_of_one_moment(home: Installation, other: Installation, tmp_path: Path) -> None:
    at_work = home.running(go_on_working)
    try:
        file, key = exported(home, tmp_path)
    finally:
        at_work.kill()
        at_work.communicate()
    other.done("import_clinic", file, "--key-file", key, "--verify")
    with other.connect() as connection:
        pairs = connection.execute(
            "SELECT count(*) FROM patients_patient WHERE mrn LIKE 'W%' GROUP BY family_name HAVING count(*) <> 2"
        ).fetchall()
        (count,) = connection.execute("SELECT count(*) FROM patients_patient WHERE mrn LIKE 'W%'").fetchone() or (0,)
    assert pairs == [] and count > 0


# --- What doesn't ----------------------------------------------------------------------------------------------------------------
def test_a_rehearsal_writes_nothing(home: Installation, other: Installation, tmp_path: Path) -> None:
    file, key = exported(home, tmp_path)
    before = everything(other)
    told = other.done("import_clinic", file, "--key-file", key, "--dry-run")
    assert "Nothing was written." in told and f"{len(rows(home, 'riverside')['patients_patient'])} patients_patient" in told
    assert everything(other) == before


def test_a_file_that_is_not_as_it_was_written_is_refused(home: Installation, other: Installation, tmp_path: Path) -> None:
    file, key = exported(home, tmp_path)
    before = everything(other)
    content = Path(file).read_bytes()
    harmed = tmp_path / "harmed.hms"
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for changed, words in (
        (flipped, "is damaged"),
        (content[: len(content) * 2 // 3], "ends too early"),
        (content[:20], "no backup"),
    ):
        harmed.write_bytes(changed)
        assert words in other.refused("import_clinic", str(harmed), "--key-file", key)
        assert everything(other) == before
    (tmp_path / "wrong.key").write_text(f"1:{base64.urlsafe_b64encode(os.urandom(32)).decode()}\n")
    assert "does not open the file" in other.refused("import_clinic", file, "--key-file", str(tmp_path / "wrong.key"))
    (tmp_path / "no.key").write_text("1:short\n")
    assert "holds no key" in other.refused("import_clinic", file, "--key-file", str(tmp_path / "no.key"))
    home.done("backup")
    whole = max(home.backups.glob("hms-*.backup"))
    assert "not open the file" in other.refused("import_clinic", str(whole), "--key-file", key)
    assert everything(other) == before


def test_people_who_are_somebody_else_here_are_named(home: Installation, other: Installation, tmp_path: Path) -> None:
    file, key = exported(home, tmp_path)
    with other.connect() as connection:
        connection.execute("UPDATE core_user SET email = 'doctor@riverside.demo' WHERE email = 'somebody@elsewhere.test'")
    before = everything(other)
    assert "other people's accounts: doctor@riverside.demo" in other.refused("import_clinic", file, "--key-file", key)
    assert everything(other) == before


def test_one_that_is_killed_leaves_nothing(home: Installation, other: Installation, tmp_path: Path) -> None:
    file, key = exported(home, tmp_path)
    before = everything(other)
    with other.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE appointments_appointment IN ROW EXCLUSIVE MODE")  # as whoever writes
        importing = other.started("import_clinic", file, "--key-file", key)
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND query LIKE 'ALTER TABLE%%' AND wait_event_type = 'Lock'"
        with other.connect() as looking:
            eventually(lambda: looking.execute(waits, [other.database]).fetchone(), 60)
        assert len(other.documents()) > 6, "documents wait beside their places"
        importing.send_signal(signal.SIGKILL)
        importing.communicate()
    with other.connect() as connection:
        busy = "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND usename = 'hms_owner'"
        eventually(lambda: not connection.execute(busy, [other.database]).fetchone(), 60)
    assert other.tables() == before[0]
    other.done("import_clinic", file, "--key-file", key, "--verify")
    assert not [name for name in other.documents() if "restoring" in name] and len(other.documents()) > 6


def test_the_file_is_a_tar_that_others_can_read(home: Installation, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(plain(*exported(home, tmp_path)))) as archive:
        names = archive.getnames()
    assert names[0] == "clinic.json" and names[-1] == "manifest.json"
