"""What the system page says of alerts and checks."""

from django import template
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from core.health.checks import Status
from core.monitoring.metrics import HEALTH
from core.monitoring.models import Alert
from core.monitoring.words import about, figure

register = template.Library()


@register.filter
def alert_words(alert: Alert) -> str:
    """“81.5 %, web-1:8000”, of a check its name; and what was found."""
    said = [] if alert.rule.metric == HEALTH else [figure(alert.rule.metric, alert.value)]
    words = ", ".join([*said, *filter(None, [about(alert.subject, alert.server)])])
    return f"{words}: {alert.note}" if alert.note else words


@register.filter
def status_label(status: Status) -> str:
    said = {
        Status.HEALTHY: _("healthy"),
        Status.DEGRADED: _("degraded"),
        Status.UNHEALTHY: _("unhealthy"),
        Status.UNKNOWN: _("can’t be seen now"),
    }
    return str(said[status])


@register.filter
def growth(size: float) -> str:
    """A size that may be negative."""
    return f"−{filesizeformat(-size)}" if size < 0 else filesizeformat(size)
