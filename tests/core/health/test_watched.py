"""Asking what may never answer."""

import threading
from collections.abc import Iterator

import pytest

from core.health import checks
from core.health.checks import Check, Status, Unwell, Weight, failing, look
from core.health.watched import Watched, ask_all


class Dependency:
    """Answers once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked = 0

    def ask(self) -> str:
        self.asked += 1
        self.gate.wait(20)
        return "well"


@pytest.fixture
def stalled() -> Iterator[Dependency]:
    found = Dependency()
    yield found
    found.gate.set()


def test_a_stalled_dependency_costs_one_thread_however_often_it_is_asked(stalled: Dependency) -> None:
    watched = Watched("stalled", stalled.ask, limit=0.05, kept=0)
    for _ in range(5):
        (answer,) = ask_all([watched])
        assert (answer.value, answer.trouble) == (None, "no answer within 0.05 s")
    assert stalled.asked == 1
    assert sum(one.name == "hms-look-stalled" for one in threading.enumerate()) == 1


def test_once_it_answers_it_is_asked_again(stalled: Dependency) -> None:
    watched = Watched("stalled", stalled.ask, limit=0.05, kept=0)
    ask_all([watched])
    under_way = watched._under_way
    assert under_way is not None
    stalled.gate.set()
    under_way.wait(20)
    assert ask_all([watched])[0].value == "well"
    assert stalled.asked == 2


def test_who_could_not_ask_asks_the_next_time(stalled: Dependency, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread is to be had, nobody is under way."""
    stalled.gate.set()
    watched = Watched("refused", stalled.ask, limit=20, kept=0)

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short_of_threads:
        short_of_threads.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError):
            watched.begin()
    assert ask_all([watched])[0].value == "well"


def test_several_are_asked_at_the_same_time() -> None:
    """Each waits for the other: one after the other would never end."""
    meeting = threading.Barrier(3, timeout=20)
    answers = ask_all([Watched(f"at-{number}", meeting.wait, limit=20, kept=0) for number in range(3)])
    assert sorted(one.value for one in answers if one.value is not None) == [0, 1, 2]


def test_an_answer_holds_for_everybody(stalled: Dependency) -> None:
    stalled.gate.set()
    watched = Watched("kept", stalled.ask, limit=20, kept=1000)
    assert {ask_all([watched])[0].value for _ in range(5)} == {"well"}
    assert stalled.asked == 1


def test_what_an_error_says_is_not_told() -> None:
    def ask() -> str:
        raise ConnectionRefusedError("postgresql://hms_app:SECRET@db/hms")

    (answer,) = ask_all([Watched("refused", ask, limit=20, kept=0)])
    assert (answer.value, answer.trouble) == (None, "ConnectionRefusedError")


def test_what_is_seen_through_the_database_is_not_blamed_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_checks", {})

    def broken() -> dict[str, float]:
        raise Unwell("away")

    for name, through in (("database", ""), ("clock", "database"), ("disk", "")):
        checks.register(Check(name, broken, Weight.NEEDED, kept=0, through=through))
    findings = look(checks.checks())
    assert failing(findings) == ["database", "disk"]
    assert [one.status for one in findings] == [Status.UNHEALTHY, Status.UNKNOWN, Status.UNHEALTHY]
