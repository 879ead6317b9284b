"""One of many processes: by a file that the kernel guards."""

from pathlib import Path

from core.turns import Turn


def test_it_is_one_s_until_it_is_given_back(tmp_path: Path) -> None:
    file = tmp_path / "run" / "turn"
    one, other = Turn(file), Turn(file)
    assert (one.take(), other.take(), one.take()) == (True, False, True)
    one.give_back()
    assert (other.take(), one.take()) == (True, False)
    other.give_back()


def test_the_next_waits_for_a_rest(tmp_path: Path) -> None:
    file = tmp_path / "turn"
    first, second = Turn(file, rest=60.0), Turn(file, rest=60.0)
    assert first.take() and not second.take()
    first.give_back()
    assert not second.take()
    file.write_text(f"{0:<40.3f}")
    assert second.take()
    second.give_back()
