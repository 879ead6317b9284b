"""The machine's file: what one process changes, all others see."""

import multiprocessing
from pathlib import Path

from core.cache.generations import Generations, place_of

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


def test_where_no_file_can_be_there_is_no_first_level(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    ours = Generations(tmp_path / "in-the-way" / "generations")
    assert not ours.shared
    ours.bump(["a"])
    ours.note_heard("mark")
    assert ours.was_heard("mark")
    assert not ours.was_heard("other")
