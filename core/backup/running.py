"""A backup and a drill as they are done from the command line and by the schedule: with retention, and written down."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from core.backup.errors import BackupTrouble
from core.backup.keeping import Keep, keep_of, moment_of, outdated
from core.backup.making import Made, Say, make_backup
from core.backup.models import BackupRun
from core.backup.restoring import Restored, drill, newest_in
from core.backup.stores import Store, store_at
from core.database.roles import DatabaseNotFit
from core.security.crypto import Undecipherable
from core.tenancy.context import Scope, unit_of_work

logger = logging.getLogger(__name__)


def back_up(say: Say, *, target: str = "", prune: bool = True) -> tuple[Made, list[str]]:
    """Make one, then remove those that have had their time; what was made and what was removed. Raises BackupTrouble."""
    with _written_down(BackupRun.Kind.BACKUP) as run:
        store = store_at(target or settings.HMS_BACKUP_TARGET)
        keep = keep_from_settings()
        made = make_backup(store, say)
        run.name, run.taken_at, run.size, run.rows, run.documents = made.name, made.taken_at, made.size, made.rows, made.documents
        return made, _pruned(store, keep) if prune else []


def drill_newest(say: Say, *, target: str = "", name: str = "") -> Restored:
    """Restore the newest backup, or that one, into a scratch database and verify it. Raises BackupTrouble; Differs is one."""
    with _written_down(BackupRun.Kind.DRILL) as run:
        store = store_at(target or settings.HMS_BACKUP_TARGET)
        run.name = name or newest_in(store)
        run.taken_at = moment_of(run.name)
        restored = drill(store, run.name, say)
        run.taken_at, run.rows, run.documents = restored.taken_at, restored.rows, restored.documents
        if restored.findings:
            raise Differs(restored)
        return restored


class Differs(BackupTrouble):
    """A restored database isn't as it was backed up; `restored` has all that was found."""

    def __init__(self, restored: Restored) -> None:
        super().__init__(f"{len(restored.findings)} things are not as they were backed up. The first: {restored.findings[0]}")
        self.restored = restored


def keep_from_settings() -> Keep:
    """Raises BackupTrouble."""
    try:
        return keep_of(settings.HMS_BACKUP_KEEP)
    except ValueError as error:
        raise BackupTrouble("HMS_BACKUP_KEEP is not three numbers like 7,4,12, with at least one day.") from error


def _pruned(store: Store, keep: Keep) -> list[str]:
    gone = outdated(store.names(), keep)
    for name in gone:
        store.delete(name)
    return gone


@contextmanager
def _written_down(kind: BackupRun.Kind) -> Iterator[BackupRun]:
    """One row for the attempt, however it ended. What goes wrong in the block comes out as BackupTrouble."""
    run = BackupRun(kind=kind, succeeded=False, started_at=timezone.now())
    try:
        yield run
        run.succeeded = True
    except BackupTrouble as error:
        run.cause = str(error)[:300]
        raise
    except (DatabaseNotFit, Undecipherable) as error:
        run.cause = str(error)[:300]
        raise BackupTrouble(str(error)) from error
    except psycopg.Error as error:
        run.cause = f"The database said: {type(error).__name__}"
        raise BackupTrouble(_said_by_database(error)) from error
    except BaseException as error:
        run.cause = type(error).__name__
        raise
    finally:
        _save(run)


def _said_by_database(error: Any) -> str:
    """Its first line: further ones may name rows."""
    return f"The database said: {(str(error).strip() or type(error).__name__).splitlines()[0]}"


def _save(run: BackupRun) -> None:
    """What went wrong stays what is told, also when it can't be written down because the database is away."""
    run.finished_at = timezone.now()
    try:
        with unit_of_work(Scope(reason="backup")):
            run.save(force_insert=True)
    except DatabaseError:
        if run.succeeded:
            raise
        logger.exception("A %s that failed could not be written down.", run.kind)
