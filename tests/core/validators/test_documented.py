"""docs/validators.md shows the very tables that the code refuses and flags by. HMS_UPDATE_BASELINES=1 writes them anew."""

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from core.validators.ages import Bound
from core.validators.identifiers import NATIONAL_IDS, REGISTERS
from core.validators.measurements import LIMITS
from core.validators.ranges import Range
from core.validators.vital_signs import RANGES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "validators.md"
BEGIN, END = "<!-- tables -->\n", "<!-- end of tables -->\n"


def shown(bound: Bound | None) -> str:
    return f"{bound[1]} {bound[0]}" if bound else ""


def span(since: Bound | None, until: Bound | None) -> str:
    begins = "" if since is None or since[1] == 0 else f"from {shown(since)}"
    ends = f"under {shown(until)}" if until else ""
    return " ".join(part for part in (begins, ends) if part) or "any"


def edge(sign: str, value: Decimal | None) -> str:
    return f"{sign} {value}" if value is not None else ""


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def of_range(one: Range) -> str:
    normal = f"{one.low if one.low is not None else ''} to {one.high if one.high is not None else ''}".strip()
    return row(
        f"`{one.measure}`", span(one.since, one.until), one.sex or "any", edge("≤", one.critical_low), normal,
        edge("≥", one.critical_high), one.source,
    )  # fmt: skip


def tables() -> Iterator[str]:
    yield "### Refused\n"
    yield row("Value", "Age", "Possible", "Decimals", "Source")
    yield row(*["---"] * 5)
    for measure, many in LIMITS.items():
        since: Bound | None = None
        for one in many:
            age = span(since, one.until)
            yield row(f"`{measure}`", age, f"{one.least} to {one.most}", str(one.places), one.source)
            since = one.until
    yield "\n### Flagged\n"
    yield row("Value", "Age", "Sex", "LL", "Normal", "HH", "Source")
    yield row(*["---"] * 7)
    yield from (of_range(one) for one in RANGES)
    yield "\n### Registers and numbers with a check\n"
    yield row("Country", "Register", "Shape", "Source")
    yield row(*["---"] * 4)
    for country, registers in REGISTERS.items():
        yield from (row(country, one.name, f"`{one.shape.pattern}`", one.source) for one in registers)
    for country, one in NATIONAL_IDS.items():
        yield row(country, one.name, f"`{one.shape.pattern}`", one.source)


def test_the_page_shows_the_tables() -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _old, after = rest.split(END)
    written = before + BEGIN + "\n" + "\n".join(tables()) + "\n\n" + END + after
    if os.environ.get("HMS_UPDATE_BASELINES"):
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written, "docs/validators.md is old: HMS_UPDATE_BASELINES=1 pytest this file"
