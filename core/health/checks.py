"""What is looked at: the list of checks, and how their findings add up to a status."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from core.health.watched import Answer, Watched, ask_all

LIMIT = 2.0  # seconds that a check may take, unless it says otherwise
KEPT = 2.0  # seconds for which its finding holds: however many ask


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"  # it can't be seen while something else is away, which is unhealthy itself


class Weight(StrEnum):
    """`REQUIRED`: without it a process serves nobody, so it isn't ready. `NEEDED`: HMS as a whole is unhealthy, and serves.
    `HELPFUL`: without it HMS is slower or tells less, and is degraded at most."""

    REQUIRED = "required"
    NEEDED = "needed"
    HELPFUL = "helpful"


class Unwell(Exception):
    """Raised by a check. The sentence is for operators: never an address, a password or anything of a patient."""

    def __init__(self, sentence: str, status: Status = Status.UNHEALTHY, figures: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.sentence, self.status, self.figures = sentence, status, figures or {}


@dataclass(frozen=True, slots=True)
class Found:
    """What a check has seen: `note` for operators (empty when all is well), `figures` with their unit in the name."""

    status: Status = Status.HEALTHY
    note: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's result. `seconds` that it took."""

    name: str
    weight: Weight
    status: Status
    note: str
    seconds: float
    figures: dict[str, Any]


def _always() -> bool:
    return True


class Check:
    """`look` returns figures, or raises Unwell. Whatever else it raises, and a look that takes too long, is unhealthy.

    `applies` says whether there is anything to look at: a Redis that nobody has configured is not mentioned. What is seen through
    another check's dependency (`through`) is unknown while that one is unhealthy, and not blamed for it.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[], dict[str, Any]],
        weight: Weight,
        *,
        limit: float = LIMIT,
        kept: float = KEPT,
        applies: Callable[[], bool] = _always,
        through: str = "",
    ) -> None:
        self.name, self.weight, self.applies, self.through = name, weight, applies, through
        self._look = look
        self.watched: Watched[Found] = Watched(name, self._found, limit=limit, kept=kept)

    def _found(self) -> Found:
        try:
            return Found(figures=self._look())
        except Unwell as trouble:
            return Found(trouble.status, trouble.sentence, trouble.figures)

    def finding(self, answer: Answer[Found]) -> Finding:
        found = answer.value or Found(Status.UNHEALTHY, answer.trouble)
        status = found.status
        if status is Status.UNHEALTHY and self.weight is Weight.HELPFUL:
            status = Status.DEGRADED
        return Finding(self.name, self.weight, status, found.note, answer.seconds, found.figures)


_checks: dict[str, Check] = {}


def register(check: Check) -> None:
    """Add a check, or put it in the place of the one of its name."""
    _checks[check.name] = check


def checks(*weights: Weight) -> list[Check]:
    """Those that apply here, of all weights or of some, in the order they were registered."""
    return [one for one in _checks.values() if (not weights or one.weight in weights) and one.applies()]


def look(chosen: Iterable[Check]) -> list[Finding]:
    """Ask all at once. Takes as long as the slowest check or its limit; none of what was found within seconds is asked again."""
    asked = list(chosen)
    answers = ask_all([one.watched for one in asked])
    findings = [check.finding(answer) for check, answer in zip(asked, answers, strict=True)]
    away = failing(findings)
    return [_unseen(one) if check.through in away else one for check, one in zip(asked, findings, strict=True)]


def _unseen(finding: Finding) -> Finding:
    return finding if finding.status is Status.HEALTHY else replace(finding, status=Status.UNKNOWN)


def status_of(findings: Iterable[Finding]) -> Status:
    """Of HMS: the worst of what was found."""
    found = {one.status for one in findings}
    return next((status for status in (Status.UNHEALTHY, Status.DEGRADED) if status in found), Status.HEALTHY)


def failing(findings: Iterable[Finding]) -> list[str]:
    """The names of what is unhealthy."""
    return [one.name for one in findings if one.status is Status.UNHEALTHY]
