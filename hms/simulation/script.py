"""The script of a day: who does what when, drawn from a seed alone, so that a day can be had again."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

HOUR = 3600  # seconds
OPENS = 8  # o'clock on the simulation's clock
HOURS = 10
# How busy each hour is beside an ordinary one: telephones ring in the morning, and once more after lunch.
RUSH = (1.8, 1.6, 1.2, 1.0, 0.7, 0.8, 1.1, 1.0, 0.8, 0.5)
CHANCES = 6  # numbers from 0 to 1 that an act is decided by


class What(StrEnum):
    """What may happen. The comment says who begins it."""

    INQUIRE = "inquire"  # the telephone: somebody asks about their visits
    REGISTER = "register"  # the telephone: somebody new, who is booked at once
    BOOK = "book"  # the telephone
    MOVE = "move"  # the telephone
    CANCEL = "cancel"  # the telephone
    WALK_IN = "walk_in"  # somebody at the door without a visit
    ARRIVE = "arrive"  # somebody at the door who is expected
    MISS = "miss"  # the desk: somebody expected has not come
    CALL = "call"  # a provider or a nurse: who is next
    READ = "read"  # another system: what has changed
    PRY = "pry"  # somebody who asks for another clinic's record


# Acts of an ordinary hour at one clinic. READ comes by the clock instead, and ARRIVE by those who are expected.
AN_HOUR = {
    What.INQUIRE: 6.0, What.REGISTER: 2.0, What.BOOK: 5.0, What.MOVE: 2.0, What.CANCEL: 1.5, What.WALK_IN: 4.0, What.CALL: 16.0,
    What.PRY: 1.0,
}  # fmt: skip
EXPECTED = 9.0  # patients an hour whose visit was booked before
ON_TIME, EARLY, LATE = 0.55, 0.25, 0.12  # shares of those expected; the others don't come
READ_EVERY = 900  # seconds


@dataclass(frozen=True, slots=True, order=True)
class Act:
    """One thing that happens: `at` seconds after the clinic opened; `number` counts this kind at this clinic from 0."""

    at: int
    clinic: int
    what: What
    number: int
    chances: tuple[float, ...]


def script_of_day(seed: int, *, clinics: int, hours: float = HOURS) -> tuple[Act, ...]:
    """The day of so many clinics, in the order of its clock. The same for the same arguments, on every machine."""
    acts = [act for clinic in range(clinics) for act in _of_clinic(seed, clinic, hours)]
    return tuple(sorted(acts))


def _of_clinic(seed: int, clinic: int, hours: float) -> Iterator[Act]:
    """A clinic's own day doesn't depend on how many others there are."""
    for what, rate in AN_HOUR.items():
        rng = Random(f"{seed} {clinic} {what}")
        for number, at in enumerate(_moments(rng, rate, hours)):
            yield Act(at, clinic, what, number, _chances(rng))
    yield from _arrivals(Random(f"{seed} {clinic} expected"), clinic, hours)
    rng = Random(f"{seed} {clinic} {What.READ}")
    for number, at in enumerate(range(READ_EVERY, int(hours * HOUR), READ_EVERY)):
        yield Act(at, clinic, What.READ, number, _chances(rng))


def _arrivals(rng: Random, clinic: int, hours: float) -> Iterator[Act]:
    """Visit `number` of those expected is due at some moment; its patient comes on time, up to 25 minutes early, up to 40 late, or
    not at all, which the desk notes 20 minutes after."""
    last = int(hours * HOUR) - 1
    for number, due in enumerate(_moments(rng, EXPECTED, hours)):
        luck, chances = rng.random(), _chances(rng)
        if luck < ON_TIME:
            what, at = What.ARRIVE, due - rng.randrange(0, 300)
        elif luck < ON_TIME + EARLY:
            what, at = What.ARRIVE, due - rng.randrange(300, 1500)
        elif luck < ON_TIME + EARLY + LATE:
            what, at = What.ARRIVE, due + rng.randrange(300, 2400)
        else:
            what, at = What.MISS, due + 1200
        yield Act(min(max(at, 0), last), clinic, what, number, chances)


def _moments(rng: Random, rate: float, hours: float) -> list[int]:
    """Seconds of the day at which something happens that happens `rate` times in an ordinary hour, busy hours as RUSH says."""
    moments: list[int] = []
    at = 0.0
    while True:
        busy = RUSH[min(int(at // HOUR), len(RUSH) - 1)]
        at += rng.expovariate(rate * busy / HOUR)
        if at >= hours * HOUR:
            return moments
        moments.append(int(at))


def _chances(rng: Random) -> tuple[float, ...]:
    return tuple(round(rng.random(), 6) for _ in range(CHANCES))
