"""Folders and buckets: a backup is there whole or not at all, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.backup.errors import BackupTrouble
from core.backup.stores import Store, store_at
from tests.factories.patience import eventually
from tests.factories.s3 import KEY, SECRET, SmallS3, small_s3

NAMES = ["hms-20260101T001500Z-00000001.backup", "hms-20260102T001500Z-00000002.backup"]
WRITE = """
import sys, time
import django
django.setup()
from core.backup.stores import store_at
def pieces():
    yield b"x" * 100_000
    print("writing", flush=True)
    sys.stdin.read()
store_at(sys.argv[1]).write(sys.argv[2], pieces())
"""


class Broke(Exception):
    pass


@pytest.fixture
def s3(settings: Any) -> Iterator[SmallS3]:
    settings.HMS_BACKUP_S3_KEY, settings.HMS_BACKUP_S3_SECRET = KEY, SECRET
    with small_s3() as server:
        yield server


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: SmallS3) -> Store:
    return store_at(str(tmp_path) if request.param == "folder" else s3.target())


def breaking() -> Iterator[bytes]:
    for _ in range(40):
        yield os.urandom(1024 * 1024)
    raise Broke


def test_what_is_written_is_listed_read_and_removed(store: Store) -> None:
    content = os.urandom(40 * 1024 * 1024 + 7)
    pieces = [content[at : at + 1_000_000] for at in range(0, len(content), 1_000_000)]
    assert store.write(NAMES[1], iter(pieces)) == len(content)
    assert store.write(NAMES[0], iter([b"small"])) == 5
    assert store.names() == NAMES
    assert b"".join(store.read(NAMES[1])) == content
    store.delete(NAMES[1])
    assert store.names() == NAMES[:1]
    with pytest.raises(BackupTrouble):
        list(store.read(NAMES[1]))


def test_what_breaks_off_is_not_there(store: Store, s3: SmallS3, tmp_path: Path) -> None:
    """The cause comes out as it was."""
    with pytest.raises(Broke):
        store.write(NAMES[0], breaking())
    assert store.names() == [] and s3.objects == {} and s3.uploads == {} and list(tmp_path.iterdir()) == []


def test_others_files_are_no_backups(s3: SmallS3, tmp_path: Path) -> None:
    s3.objects["hms/nightly/notes.txt"] = s3.objects[f"elsewhere/{NAMES[0]}"] = b""
    (tmp_path / "notes.txt").touch()
    assert store_at(s3.target()).names() == store_at(str(tmp_path)).names() == []


def test_a_wrong_secret_is_refused_and_not_shown(s3: SmallS3, settings: Any) -> None:
    settings.HMS_BACKUP_S3_SECRET = "another-secret"
    with pytest.raises(BackupTrouble, match=r"Can't list backups in s3://clinic-backups/hms/nightly") as caught:
        store_at(s3.target()).names()
    assert s3.refused and "another-secret" not in str(caught.value)


def test_a_bucket_that_is_full_says_so(s3: SmallS3) -> None:
    s3.parts_taken = 1
    with pytest.raises(BackupTrouble, match=r"Can't write the backup.*QuotaExceeded"):
        store_at(s3.target()).write(NAMES[0], iter([os.urandom(1024 * 1024)] * 40))
    assert s3.objects == {}


def test_a_killed_writer_s_piece_goes_with_the_next_backup_and_a_living_one_s_stays(tmp_path: Path) -> None:
    killed, living = (_writer(tmp_path, name) for name in NAMES)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert store_at(str(tmp_path)).names() == []
    third = "hms-20260103T001500Z-00000003.backup"
    store_at(str(tmp_path)).write(third, iter([b"x"]))
    assert sorted(one.name for one in tmp_path.iterdir()) == [f".unfinished-{NAMES[1]}", third]
    living.communicate(b"go on")
    assert store_at(str(tmp_path)).names() == [NAMES[1], third]


def _writer(folder: Path, name: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", WRITE, str(folder), name]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "hms.settings"}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    eventually(lambda: (folder / f".unfinished-{name}").exists())
    return process


@pytest.mark.parametrize("target", ["", "https://bucket", "s3://", "s3:///prefix", "s3://bucket?colour=red"])
def test_what_is_no_target(target: str) -> None:
    with pytest.raises(BackupTrouble):
        store_at(target)
