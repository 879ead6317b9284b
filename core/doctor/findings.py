"""What an examination says, and how examinations are gathered."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy`: what to do, empty when nothing is to be done. Neither names a secret or anything of a patient."""

    subject: str
    verdict: Verdict
    sentence: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(self).items()}


type Examination = Callable[[], Iterable[Finding]]


def ok(subject: str, sentence: str) -> Finding:
    return Finding(subject, Verdict.OK, sentence)


def warn(subject: str, sentence: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.WARN, sentence, remedy)


def fail(subject: str, sentence: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.FAIL, sentence, remedy)


def examined(subject: str, examination: Examination) -> Iterator[Finding]:
    """Its findings, or one that says that it came to no end: what is broken must not keep the rest from being told."""
    try:
        yield from examination()
    except Exception as error:  # a boundary; the text may quote a password
        yield fail(subject, f"This could not be examined ({type(error).__name__}).", "Look at what else is wrong first.")


def worst(findings: Iterable[Finding]) -> Verdict:
    order = list(Verdict)
    return max((one.verdict for one in findings), key=order.index, default=Verdict.OK)
