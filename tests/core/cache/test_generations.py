"""The machine's file: what one process changes, all others see."""

import multiprocessing
import resource
import shutil
from pathlib import Path

from core.cache.generations import WORDS, Generations, place_of
from core.cache.seen import NOBODY

PLACES = (0, place_of("a"), place_of("b"))


def bump(path: Path, tag: str) -> None:
    Generations(path).bump([tag])


def test_processes_share_it_and_none_waits_for_another(tmp_path: Path) -> None:
    ours = Generations(tmp_path / "run" / "generations")
    before = ours.read(PLACES)
    other = multiprocessing.get_context("spawn").Process(target=bump, args=(ours.path, "a"))
    other.start()
    other.join(20)
    assert other.exitcode == 0
    after = ours.read(PLACES)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert Generations(ours.path).machine == ours.machine


def test_everything_is_a_tag(tmp_path: Path) -> None:
    ours = Generations(tmp_path / "generations")
    before = ours.read(PLACES)
    ours.bump(["*"])
    assert [old == new for old, new in zip(before, ours.read(PLACES), strict=True)] == [False, True, True]


def test_a_deleted_file_is_noticed_and_made_anew(tmp_path: Path) -> None:
    ours = Generations(tmp_path / "generations")
    assert ours.shared and ours.is_the_file()
    ours.path.unlink()
    assert not ours.is_the_file()
    ours.reopen()
    assert ours.shared and ours.is_the_file()
    bump(ours.path, "a")
    assert ours.read(PLACES)[1]


def test_a_copy_of_the_file_is_another_machine_s(tmp_path: Path) -> None:
    """As on a machine that was made from this one's image: who wrote there says what they have seen."""
    ours = Generations(tmp_path / "generations")
    ours.bump(["a"])
    copy = Generations(Path(shutil.copy(ours.path, tmp_path / "copy")))
    assert copy.read(PLACES) == ours.read(PLACES) and copy.machine != ours.machine
    assert all(len(one.machine) == 16 and one.machine != NOBODY for one in (ours, copy))


def test_it_has_its_room_on_the_disk_before_anybody_writes_into_it(tmp_path: Path) -> None:
    ours = Generations(tmp_path / "generations")
    assert ours.shared
    found = ours.path.stat()
    assert found.st_blocks * 512 >= found.st_size == WORDS * 8, "a write into a hole on a full disk ends the process"


def test_where_there_is_no_room_there_is_no_first_level(tmp_path: Path) -> None:
    ours = Generations(tmp_path / "generations")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (WORDS, hard))
    try:
        assert not ours.shared and ours.machine == NOBODY
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ours.bump(["a"])
    ours.reopen()
    assert ours.shared and ours.machine != NOBODY


def test_where_no_file_can_be_there_is_no_first_level(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    ours = Generations(tmp_path / "in-the-way" / "generations")
    assert not ours.shared
    ours.bump(["a"])
    ours.note_heard("mark")
    assert ours.was_heard("mark")
    assert not ours.was_heard("other")
