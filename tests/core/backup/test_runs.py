"""What is written down about backups and drills, and what the nightly jobs do without a target."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError
from django.utils import timezone

from core.backup.errors import BackupTrouble
from core.backup.models import BackupRun
from core.backup.running import back_up, drill_newest
from core.backup.status import last_backup, last_drill
from core.checks import backups_are_well_formed
from core.jobs.kinds import GiveUp, kind_of
from core.jobs.schedule import SCHEDULE

KINDS = ["backup.make", "backup.drill"]


class Told:
    """An attempt that keeps what it was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def progress(self, _percent: int, sentence: str = "") -> None:
        self.words.append(sentence)


def made(days_ago: float, **values: Any) -> BackupRun:
    at = timezone.now() - timedelta(days=days_ago)
    own = {"kind": "backup", "succeeded": True, "name": f"of {days_ago}", "taken_at": at, "started_at": at, "finished_at": at}
    return BackupRun.objects.create(**(own | values))


def test_before_the_first_there_is_none() -> None:
    assert last_backup() is None and last_drill() is None


def test_the_newest_that_succeeded_counts_and_the_newest_drill_whatever_came_of_it() -> None:
    made(3)
    made(1, size=5)
    made(0, succeeded=False, taken_at=None, name="")
    backup = last_backup()
    assert backup is not None and (backup.name, backup.size) == ("of 1", 5)
    assert timedelta(hours=23, minutes=59) < backup.age < timedelta(hours=24, minutes=1)
    at = timezone.now() - timedelta(hours=1)
    made(2, kind="drill")
    made(0, kind="drill", succeeded=False, taken_at=at, started_at=at + timedelta(hours=6), cause="It is damaged.")
    drill = last_drill()
    assert drill is not None and drill.recovery_point == timedelta(hours=6)
    assert (drill.succeeded, drill.cause) == (False, "It is damaged.")


@pytest.mark.parametrize("attempt", [back_up, drill_newest])
def test_what_fails_is_written_down_with_its_cause(attempt: Any, settings: Any) -> None:
    settings.HMS_BACKUP_TARGET = "https://nowhere"
    with pytest.raises(BackupTrouble):
        attempt(lambda _percent, _words: None)
    run = BackupRun.objects.get()
    assert not run.succeeded and "neither a folder nor s3" in run.cause


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_target_nothing_is_done(kind: str, settings: Any) -> None:
    settings.HMS_BACKUP_TARGET = ""
    run = Told()
    kind_of(kind).function(run)
    assert run.words == ["HMS_BACKUP_TARGET is not set"] and not BackupRun.objects.exists()


def test_a_drill_without_a_backup_gives_up(settings: Any, tmp_path: Any) -> None:
    settings.HMS_BACKUP_TARGET = str(tmp_path)
    with pytest.raises(GiveUp, match="There is no backup yet"):
        kind_of("backup.drill").function(Told())


def test_they_are_on_the_schedule() -> None:
    assert [entry.kind for entry in SCHEDULE if entry.kind in KINDS and not entry.per_clinic] == KINDS


def test_whoever_serves_can_t_rewrite_what_was_written_down() -> None:
    made(1)
    for statement in ("UPDATE core_backuprun SET succeeded = true", "DELETE FROM core_backuprun"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [("HMS_BACKUP_KEEP", "7", "hms.E073"), ("HMS_BACKUP_KEYS", ["short"], "hms.E074"), ("HMS_BACKUP_TARGET", "s3://", "hms.E075")],
)
def test_settings_that_can_t_work_are_said_at_the_start(name: str, value: Any, number: str, settings: Any) -> None:
    assert backups_are_well_formed() == []
    setattr(settings, name, value)
    assert [one.id for one in backups_are_well_formed()] == [number]
