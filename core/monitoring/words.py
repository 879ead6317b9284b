"""An alert as people and programs are told it."""

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from core.health.checks import Status
from core.monitoring.judging import LEVELS
from core.monitoring.metrics import HEALTH, METRICS, Comparison, Rule, Severity
from core.monitoring.standing import Event, News

STATUS = {level: status for status, level in LEVELS.items()}


def figure(metric: str, value: float) -> str:
    """With its unit: “81.5 %”; of a check its status."""
    if metric == HEALTH:
        return STATUS.get(value, Status.UNKNOWN).value
    known = METRICS.get(metric)
    return f"{value:,.1f}".removesuffix(".0") + (f" {known.unit}" if known and known.unit else "")


def condition(rule: Rule) -> str:
    """“Processor at least 80 %, for 300 s”, in the active language."""
    known = METRICS.get(rule.metric)
    words = _("%(metric)s %(comparison)s %(threshold)s, for %(seconds)d s") % {
        "metric": known.label if known else rule.metric,
        "comparison": Comparison(rule.comparison).label,
        "threshold": figure(rule.metric, rule.threshold),
        "seconds": rule.seconds,
    }
    return str(words)


def about(subject: str, server: str) -> str:
    """“cache, web-1:8000”; "" for the installation as a whole."""
    return ", ".join(part for part in (subject, server) if part)


def title(news: News) -> str:
    """One line, in the active language."""
    said = {
        Event.RAISED: _("Alert: %(what)s"),
        Event.REMINDED: _("Still: %(what)s"),
        Event.RESOLVED: _("Resolved: %(what)s"),
    }[news.event]
    where = about(news.subject, news.server)
    return said % {"what": news.rule.name + (f" ({where})" if where else "")}


def letter(news: News) -> tuple[str, str]:
    """Subject and text of an e-mail, in the installation's language."""
    with override(settings.LANGUAGE_CODE):
        lines = [
            title(news), "",
            f"{_('Severity')}: {Severity(news.rule.severity).label}",
            f"{_('Rule')}: {condition(news.rule)}",
            f"{_('Now')}: {figure(news.rule.metric, news.value)}",
            f"{_('Worst')}: {figure(news.rule.metric, news.worst)}",
            f"{_('Open for')}: {_('%(minutes)d min') % {'minutes': round(news.seconds / 60)}}",
            *([f"{_('Found')}: {news.note}"] if news.note else []),
            "", f"{settings.HMS_BASE_URL}/admin/system/",
        ]  # fmt: skip
        return f"[HMS] {title(news)}", "\n".join(lines)


def body(news: News) -> bytes:
    """What a program is sent, as JSON."""
    said: dict[str, Any] = {
        "event": f"alert.{news.event.value}",
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "alert": str(news.id) if news.id else None,
        "rule": news.rule.name,
        "severity": news.rule.severity,
        "metric": news.rule.metric,
        "subject": news.subject,
        "server": news.server,
        "value": news.value,
        "worst": news.worst,
        "threshold": news.rule.threshold,
        "comparison": news.rule.comparison,
        "open_seconds": round(news.seconds),
        "note": news.note,
    }
    return json.dumps(said).encode()
