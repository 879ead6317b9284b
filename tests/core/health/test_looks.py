"""What each look makes of what it sees."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection
from django.utils import timezone

from core.backup.models import BackupRun
from core.health import databases, machine, neighbours, work
from core.health.checks import Status, Unwell
from core.memory import limits
from core.outbound.registry import registry
from tests.factories.databases import another
from tests.factories.endpoints import Told, endpoints


def trouble(look: Any) -> Unwell:
    with pytest.raises(Unwell) as raised:
        look()
    return raised.value


def add_job(workers: str, state: str, *, due_seconds_ago: float, began: bool = False) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_job (id, kind, queue, workers, priority, state, payload, dedupe_key, after, run_at, attempts, "
            "attempts_allowed, claim, worker, lease_until, progress, sentence, cause, sends, request_id, created_at) VALUES "
            "(%s, 'test.planted', 'email', %s, 3, %s, '{}', '', '{}', statement_timestamp() - %s * interval '1 second', 0, 3, "
            "%s, '', %s, 0, '', '', 0, '', now())",
            [uuid.uuid4(), workers, state, due_seconds_ago, uuid.uuid4() if began else None,
             datetime.now(UTC) + timedelta(minutes=1) if began else None],
        )  # fmt: skip


def test_nobody_takes_jobs() -> None:
    assert work.workers() == {"not_well": 0, "processes": []}
    add_job("urgent", "queued", due_seconds_ago=work.SILENT - 30)
    assert work.workers()["urgent_oldest_seconds"] >= work.SILENT - 30
    add_job("urgent", "retrying", due_seconds_ago=work.SILENT + 30)
    add_job("bulk", "queued", due_seconds_ago=-100)
    found = trouble(work.workers)
    assert (found.sentence, found.status) == ("Nobody takes the jobs of: urgent.", Status.UNHEALTHY)


def test_somebody_is_at_work_and_too_few_are() -> None:
    add_job("bulk", "queued", due_seconds_ago=work.SILENT + 30)
    add_job("bulk", "running", due_seconds_ago=work.SILENT + 40, began=True)
    assert work.workers()["bulk_oldest_seconds"] > work.SILENT
    add_job("bulk", "queued", due_seconds_ago=work.BEHIND + 30)
    found = trouble(work.workers)
    assert (found.sentence, found.status) == ("Too few workers for: bulk.", Status.DEGRADED)


def test_the_clock() -> None:
    assert trouble(work.clock).sentence == "It has never ticked."
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO core_schedulemark VALUES ('a', now() - interval '1 day'), ('b', now() - interval '70 seconds')")
        assert 70 <= work.clock()["age_seconds"] < work.CLOCK
        cursor.execute("UPDATE core_schedulemark SET moment = moment - interval '100 seconds' WHERE entry = 'b'")
    assert trouble(work.clock).sentence.startswith("It has not ticked for 17")


def test_a_replica_that_is_none() -> None:
    with another("replica"):
        assert trouble(databases.replica).sentence.startswith("It is no standby")


def test_migrations_are_all_there() -> None:
    assert databases.migrations() == {"missing": 0}
    written = databases._written()
    assert ("core", "0001_initial") in written and ("sessions", "0001_initial") in written
    assert not [name for _, name in written if name.startswith("_")]


@pytest.mark.parametrize(("days", "status"), [(30, None), (10, Status.DEGRADED), (2, Status.UNHEALTHY), (-1, Status.UNHEALTHY)])
def test_the_certificate(days: int, status: Status | None, tmp_path: Path, settings: Any) -> None:
    key, ends = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + timedelta(days=days, minutes=5)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hms.example.org")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, ends - timedelta(days=90), ends)
    path = tmp_path / "certificate.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    settings.HMS_CERTIFICATE = str(path)
    assert machine.has_certificate()
    if status is None:
        assert machine.certificate()["days"] == days
    else:
        assert trouble(machine.certificate).status is status


def test_a_certificate_that_is_none(tmp_path: Path, settings: Any) -> None:
    settings.HMS_CERTIFICATE = str(tmp_path / "nothing.pem")
    assert trouble(machine.certificate).sentence == "It can't be read (No such file or directory)."
    (tmp_path / "nothing.pem").write_text("nonsense")
    assert trouble(machine.certificate).sentence == "The file holds no certificate in PEM form."


def limited(folder: Path, *, used: int, limit: str, droppable: int = 0) -> None:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {droppable}\n")


def test_memory_is_judged_by_the_containers_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CGROUP", tmp_path)
    limited(tmp_path, used=96, limit="100")
    assert trouble(machine.memory).status is Status.UNHEALTHY
    limited(tmp_path, used=92, limit="100")
    assert trouble(machine.memory).status is Status.DEGRADED
    limited(tmp_path, used=96, limit="100", droppable=50)
    assert machine.memory() == {"usage_percent": 46.0, "limit_bytes": 100.0}
    limited(tmp_path, used=96, limit="max")
    assert list(limits.control_groups()) == []


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DISK", (100.1, 100.1))
    assert 0 < machine.disk()["usage_percent"] <= 100
    monkeypatch.setattr(machine, "DISK", (0.0, 100.1))
    assert trouble(machine.disk).status is Status.DEGRADED


def test_backups(db: None, settings: Any) -> None:
    settings.HMS_BACKUP_HOURS = 26
    assert trouble(neighbours.backup).sentence == "There is no backup."
    for hours, status in ((53, Status.UNHEALTHY), (27, Status.DEGRADED), (1, None)):
        at = timezone.now() - timedelta(hours=hours)
        BackupRun.objects.create(
            kind=BackupRun.Kind.BACKUP, succeeded=True, name=f"{hours}", started_at=at, taken_at=at, finished_at=at
        )
        if status is None:
            assert neighbours.backup()["age_hours"] == 1
        else:
            assert trouble(neighbours.backup).status is status


def test_other_systems(settings: Any) -> None:
    with endpoints(3) as (well, sick, gone):
        sick.answer = lambda _taken: Told(503)
        gone.kill()
        lab, pharmacy = {"kind": "lab", "endpoints": [well.url, sick.url]}, {"kind": "pharmacy", "endpoints": [gone.url]}
        for said, sentence, status in (
            ({"lab": lab}, "Partly away: lab.", Status.DEGRADED),
            ({"lab": lab, "pharmacy": pharmacy}, "Away: pharmacy.", Status.UNHEALTHY),
        ):
            settings.HMS_EXTERNAL_SYSTEMS = json.dumps(said)
            registry.forget()
            found = trouble(neighbours.external_systems)
            assert (found.sentence, found.status) == (sentence, status)
        sick.answer = lambda _taken: Told()
        settings.HMS_EXTERNAL_SYSTEMS = json.dumps({"lab": lab})
        registry.forget()
        assert neighbours.external_systems() == {"systems": 1, "endpoints": 2}
    registry.forget()
