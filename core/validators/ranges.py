"""Normal ranges: what is outside of one is flagged, never refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from core.validators.ages import Age, Bound


class Interpretation(StrEnum):
    """FHIR's codes for an observation's interpretation (HL7 v3 ObservationInterpretation)."""

    CRITICALLY_LOW = "LL"
    LOW = "L"
    NORMAL = "N"
    HIGH = "H"
    CRITICALLY_HIGH = "HH"

    @property
    def severity(self) -> int:
        """0 for normal, 1 for low or high, 2 for critical."""
        return 0 if self is Interpretation.NORMAL else len(self.value)


@dataclass(frozen=True, slots=True)
class Range:
    """What is normal from one age to another. Every number belongs to what it names; None: there is no such limit.

    `critical_low` and below is LL, below `low` is L, above `high` is H, `critical_high` and above is HH.
    """

    measure: str
    low: Decimal | None
    high: Decimal | None
    source: str
    critical_low: Decimal | None = None
    critical_high: Decimal | None = None
    since: Bound = ("days", 0)
    until: Bound | None = None  # not included
    sex: str | None = None  # female, male; None: for everybody

    def holds(self, age: Age) -> bool:
        return age.reached(self.since) and (self.until is None or not age.reached(self.until))

    def interpret(self, value: Decimal) -> Interpretation:
        if self.critical_low is not None and value <= self.critical_low:
            return Interpretation.CRITICALLY_LOW
        if self.critical_high is not None and value >= self.critical_high:
            return Interpretation.CRITICALLY_HIGH
        if self.low is not None and value < self.low:
            return Interpretation.LOW
        if self.high is not None and value > self.high:
            return Interpretation.HIGH
        return Interpretation.NORMAL


@dataclass(frozen=True, slots=True)
class Finding:
    """How a value is to be read, and the range it was held against."""

    interpretation: Interpretation
    range: Range


def read_against(value: Decimal, ranges: Iterable[Range]) -> Finding | None:
    """The mildest reading: where ranges differ by sex and the sex is not known, only what both call unusual is flagged."""
    findings = [Finding(one.interpret(value), one) for one in ranges]
    return min(findings, key=lambda finding: finding.interpretation.severity, default=None)
