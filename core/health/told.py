"""Findings as they are told: to operators all of it, to others the bare statuses."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from core.health.checks import Finding, failing, status_of


def timestamp() -> str:
    """Now, by this machine's clock: 2026-01-31T10:30:00Z."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def operator_details(findings: Iterable[Finding]) -> dict[str, Any]:
    """All that was found."""
    found = list(findings)
    return {
        "status": status_of(found).value,
        "timestamp": timestamp(),
        "failing": failing(found),
        "checks": {one.name: told(one) for one in found},
    }


def told(one: Finding) -> dict[str, Any]:
    """One check; `response_time` in milliseconds."""
    return {
        "status": one.status.value,
        "weight": one.weight.value,
        "response_time": milliseconds(one.seconds),
        **one.figures,
        **({"note": one.note} if one.note else {}),
    }


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
