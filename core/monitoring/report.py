"""The overview as data, as text, and as PDF."""

from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
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
        "faults": [
            {
                "fault": one.fingerprint, "error": one.error, "place": one.place,
                "times": one.count, "clinics": len(one.in_clinics),
                "first": one.first_seen.isoformat(timespec="seconds"), "last": one.last_seen.isoformat(timespec="seconds"),
            }
            for one in found.faults
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
    parts = [_title(data)]
    for heading, lines in _sections(data):
        parts += ["", heading, "-" * len(heading), *lines]
    return "\n".join(parts)


def as_pdf(data: dict[str, Any]) -> bytes:
    """The text on A4 pages."""
    from reportlab.lib.pagesizes import A4  # the package takes megabytes of processes that print nothing
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Preformatted, SimpleDocTemplate, Spacer

    styles, written = getSampleStyleSheet(), BytesIO()
    styles["Code"].leftIndent = 0
    parts: list[Any] = [Paragraph(escape(_title(data)), styles["Title"])]
    for heading, lines in _sections(data):
        parts += [Paragraph(escape(heading), styles["Heading2"]), Preformatted("\n".join(lines), styles["Code"], maxLineLength=105)]
        parts.append(Spacer(0, 3 * mm))
    SimpleDocTemplate(written, pagesize=A4, title=_title(data), margin=15 * mm, leftMargin=15 * mm, rightMargin=15 * mm).build(
        parts
    )
    return written.getvalue()


def _title(data: dict[str, Any]) -> str:
    return f"HMS at {data['at']}: {data['status']}"


def _sections(data: dict[str, Any]) -> Iterable[tuple[str, list[str]]]:
    """Heading and lines; "none" where there are none."""
    storage = data["storage"]
    for heading, lines in (
        ("Open alerts", map(_alert, data["alerts"])),
        ("Open faults", map(_fault, data["faults"])),
        ("Health", (f"{one['check']:<18} {one['status']:<10} {one['note']}".rstrip() for one in data["health"])),
        (f"Figures of {data['period']}: now, mean, highest", _figures(data["figures"])),
        ("Queues", map(_queue, data["queues"])),
        ("Blocked addresses", [str(data["blocked_addresses"])]),
        ("Storage", [_forecast(storage["forecast"]), *map(_table, storage["tables"])]),
    ):
        yield heading, list(lines) or ["none"]


def _filled(charts: Iterable[Chart]) -> list[Chart]:
    return [one for one in charts if not one.is_empty]


def _line(line: Line) -> dict[str, Any]:
    known = [value for value in line.values if value is not None]
    if not known:
        return {"line": line.label, "now": None, "mean": None, "highest": None}
    return {"line": line.label, "now": known[-1], "mean": sum(known) / len(known), "highest": max(known)}


def _alert(one: dict[str, Any]) -> str:
    known = ", acknowledged" if one["acknowledged"] else ""
    return f"{one['severity']:<9} {one['rule']} ({one['about'] or 'installation'}): {one['value']}, since {one['raised']}{known}"


def _fault(one: dict[str, Any]) -> str:
    said = f"{one['times']:>6} times in {one['clinics']} clinics, last {one['last']}"
    return f"{said}: {one['error']} at {one['place']} ({one['fault']})"


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
