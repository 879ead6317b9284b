"""What a verification of a restored database sees: whatever differs from what was backed up is named, and nothing else is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from core.backup.packing import Manifest, members, read_manifest
from core.backup.sealing import opened
from core.backup.stores import store_at
from core.backup.verification import findings_in
from tests.core.backup.at_work import Installation, installation
from tests.core.backup.seed import seed
from tests.factories.server import RUN, _run

pytestmark = pytest.mark.thorough

ONE = "WHERE id = (SELECT id FROM {} ORDER BY id LIMIT 1)"
HARM = {
    f"DELETE FROM patients_document {ONE.format('patients_document')}": "patients_document: 23 rows, 24 were backed up.",
    f"UPDATE patients_patient SET notes = notes || '.' {ONE.format('patients_patient')}": "rows are not the ones",
    "DROP TABLE core_schedulemark": "core_schedulemark: the table is missing.",
    "CREATE TABLE planted (id int); GRANT SELECT ON planted TO hms_maintenance": "planted: the table wasn't backed up.",
    "ALTER TABLE patients_patient NO FORCE ROW LEVEL SECURITY": "patients_patient: row-level security is off.",
    'DROP POLICY "clinic" ON patients_document': "patients_document: row-level security is not as it was.",
    "ALTER TABLE patients_patient DISABLE TRIGGER USER": "patients_patient: 0 triggers,",
    "ALTER TABLE core_job ADD CONSTRAINT planted CHECK (priority > 9) NOT VALID": "core_job.planted is not valid.",
    "SELECT setval('core_change_id_seq', 1)": "core_change_id_seq: the sequence is behind what was backed up.",
    "DELETE FROM django_migrations WHERE app = 'hms'": "migrations,",
    f"UPDATE core_change SET at = at - interval '1 day' {ONE.format('core_change')}": "Not as it was sealed: core_change",
}


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str, Manifest]]:
    """A restored database, and the manifest it came with. Each test harms a copy of it."""
    with installation("backup_verified", tmp_path_factory.mktemp("verified")) as made:
        _run([sys.executable, "-c", RUN, f"{seed.__module__}:{seed.__name__}"], made.environment)
        made.done("backup")
        made.done("restore", "newest", "--into", made.database + "_back")
        store = store_at(str(made.backups))
        content = dict(members(opened(store.read(store.names()[-1]))))
        yield made, made.database + "_back", read_manifest(content["manifest.json"])
        made.drop(made.database + "_back")


@contextmanager
def copied(made: Installation, database: str) -> Iterator["psycopg.Connection[Any]"]:
    """A superuser's connection to a copy, past triggers; the copy is gone afterwards."""
    copy = f"{database}_copy"
    made.drop(copy)
    with made.connect("postgres") as connection:
        connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{database}" STRATEGY file_copy')
    try:
        with made.connect(copy) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection
    finally:
        made.drop(copy)


def test_nothing_is_named_when_nothing_differs(restored: tuple[Installation, str, Manifest], settings: Any) -> None:
    made, database, manifest = restored
    settings.HMS_AUDIT_ANCHORS_DIR = made.folder / "anchors"
    assert list(findings_in(database, manifest)) == []


@pytest.mark.parametrize("harm", HARM)
def test_whatever_differs_is_named(harm: str, restored: tuple[Installation, str, Manifest], settings: Any) -> None:
    made, database, manifest = restored
    settings.HMS_AUDIT_ANCHORS_DIR = made.folder / "anchors"
    with copied(made, database) as connection:
        connection.execute(harm)
        found = list(findings_in(connection.info.dbname, manifest))
    assert any(HARM[harm] in one for one in found), found
