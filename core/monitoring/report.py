"""The overview as data, and as text."""

from collections.abc import Iterable, Sequence
from typing import Any

from core.monitoring.charts import Chart, Line
from core.monitoring.figures import Forecast
from core.monitoring.overview import Overview
from core.monitoring.words import about, figure


def as_data(found: Overview) -> dict[str, Any]:
    """For JSON. Of each line of a chart the newest, the mean and the highest value; None where nothing was sampled."""
    return {
        "at": found.at.isoformat(timespec="seconds"),
        "period": found.period.name,
        "status": found.status.value,
        "alerts": [
            {
                "rule": one.rule.name, "severity": one.severity, "about": about(one.subject, one.server),
                "value": figure(one.rule.metric, one.value), "worst": figure(one.rule.metric, one.worst), "note": one.note,
                "raised": one.raised_at.isoformat(timespec="seconds"), "acknowledged": one.acknowledged_at is not None,
            }
            for one in found.alerts
        ],
        "health": [{"check": one.name, "status": one.status.value, "note": one.note, **one.figures} for one in found.findings],
        "figures": [
            {"name": chart.title, "unit": chart.unit, "lines": [_line(line) for line in chart.lines]}
            for chart in _filled(found.charts)
        ],
        "queues": [one.as_dict() for one in found.queues],
        "blocked_addresses": len(found.blocks),
        "storage": {
            "forecast": None if found.forecast is None else _ahead(found.forecast),
            "tables": [{"table": name, "bytes": size} for name, size in found.tables],
        },
    }  # fmt: skip


def _ahead(one: Forecast) -> dict[str, float]:
    return {
        "bytes": round(one.now),
        "bytes_a_day": round(one.a_day),
        "days": round(one.days, 1),
        "bytes_in_30_days": round(one.in_30_days),
        "bytes_in_365_days": round(one.in_365_days),
    }


def as_text(data: dict[str, Any]) -> str:
    """The same to be read."""
    parts: list[str] = [f"HMS at {data['at']}: {data['status']}"]
    parts += _section("Open alerts", (_alert(one) for one in data["alerts"]))
    parts += _section("Health", (f"{one['check']:<18} {one['status']:<10} {one['note']}".rstrip() for one in data["health"]))
    parts += _section(f"Figures of {data['period']}: now, mean, highest", _figures(data["figures"]))
    parts += _section("Queues", (_queue(one) for one in data["queues"]))
    parts += _section("Blocked addresses", [str(data["blocked_addresses"])])
    parts += _section("Storage", [_forecast(data["storage"]["forecast"]), *map(_table, data["storage"]["tables"])])
    return "\n".join(parts)


def _filled(charts: Iterable[Chart]) -> list[Chart]:
    return [one for one in charts if not one.is_empty]


def _line(line: Line) -> dict[str, Any]:
    known = [value for value in line.values if value is not None]
    if not known:
        return {"line": line.label, "now": None, "mean": None, "highest": None}
    return {"line": line.label, "now": known[-1], "mean": sum(known) / len(known), "highest": max(known)}


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", title, "-" * len(title), *(list(lines) or ["none"])]


def _alert(one: dict[str, Any]) -> str:
    known = ", acknowledged" if one["acknowledged"] else ""
    return f"{one['severity']:<9} {one['rule']} ({one['about'] or 'installation'}): {one['value']}, since {one['raised']}{known}"


def _figures(charts: Sequence[dict[str, Any]]) -> Iterable[str]:
    for chart in charts:
        for line in chart["lines"]:
            said = "  ".join("-" if line[name] is None else f"{line[name]:,.1f}" for name in ("now", "mean", "highest"))
            yield f"{chart['name']}, {line['line']}: {said} {chart['unit']}".rstrip()


def _queue(one: dict[str, Any]) -> str:
    said = f"{one['waiting']} waiting, {one['running']} running, {one['dead_letters']} dead, {one['succeeded']} done"
    return f"{one['queue']:<18} {said}"


def _forecast(said: dict[str, Any] | None) -> str:
    if said is None:
        return "A forecast needs samples of a day."
    sizes = (said["bytes"] / 1e6, said["bytes_a_day"] / 1e6, said["bytes_in_30_days"] / 1e6, said["days"])
    return "{:,.1f} MB, {:+,.2f} MB a day, {:,.1f} MB in 30 days (a straight line through {:.1f} days)".format(*sizes)


def _table(one: dict[str, Any]) -> str:
    return f"{one['table']:<32} {one['bytes'] / 1e6:,.1f} MB"
