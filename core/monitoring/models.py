"""Figures of minutes and quarters of an hour; rules about them; alerts that these have raised. Nothing of anybody stands here."""

from functools import partial
from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.history.keeping import keeps_history
from core.monitoring.metrics import METRICS, Comparison, Severity, metric_choices
from core.tenancy.ids import new_id
from core.validators import Rules, clean_name
from core.validators.choices import clean_choice
from core.validators.codes import clean_slug
from core.validators.models import RuledModel
from core.validators.numbers import clean_number, clean_whole_number


class MetricSample(models.Model):
    """What all servers together have seen of one series in `resolution` minutes that begin at `moment`."""

    table_kind = "platform"

    series = models.CharField(_("series"), max_length=40)
    resolution = models.PositiveSmallIntegerField(_("minutes"))
    moment = models.DateTimeField(_("from"))
    count = models.PositiveIntegerField(_("count"))
    total = models.FloatField(_("total"))
    low = models.FloatField(_("lowest"))
    high = models.FloatField(_("highest"))

    class Meta:
        verbose_name = _("sample")
        verbose_name_plural = _("samples")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["resolution", "series", "moment"], name="core_metricsample_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["resolution", "moment"], name="core_metricsample_age")]

    def __str__(self) -> str:
        return f"{self.series} {self.moment:%Y-%m-%d %H:%M}"


@keeps_history()
class AlertRule(RuledModel):
    """When people are told. Rules are made with HMS's tables; operators change them and switch them off.

    A rule that names a subject (a check) takes the place of those about the same metric that name none, also while it is off.
    """

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.SlugField(_("name"), max_length=40, unique=True)
    metric = models.CharField(_("metric"), max_length=40, choices=metric_choices)
    subject = models.CharField(_("only"), max_length=60, blank=True, help_text=_("The name of one check. Empty: all."))
    comparison = models.CharField(_("comparison"), max_length=10, choices=Comparison)
    threshold = models.FloatField(_("threshold"), help_text=_("Of a check 1 is degraded, 2 is unhealthy."))
    seconds = models.PositiveIntegerField(
        _("for (seconds)"), validators=[MaxValueValidator(3600)], help_text=_("It has to hold so long, at most an hour.")
    )
    severity = models.CharField(_("severity"), max_length=10, choices=Severity)
    quiet_minutes = models.PositiveIntegerField(
        _("quiet (minutes)"), validators=[MinValueValidator(1), MaxValueValidator(10080)],
        help_text=_("Nobody is told of the same again within that time."),
    )  # fmt: skip
    is_active = models.BooleanField(_("in use"), default=True)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now)

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def field_rules(self) -> Rules:
        return {
            "name": clean_slug,
            "metric": partial(clean_choice, choices=METRICS),
            "subject": partial(clean_name, max_length=60),
            "comparison": partial(clean_choice, choices=Comparison.values),
            "threshold": lambda value: float(clean_number(value, places=3)),
            "seconds": partial(clean_whole_number, least=0, most=3600),
            "severity": partial(clean_choice, choices=Severity.values),
            "quiet_minutes": partial(clean_whole_number, least=1, most=10_080),
        }


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        return self.filter(resolved_at=None)


class Alert(models.Model):
    """A rule's condition holds, or has held: one row from its being raised until it is resolved.

    `subject` is the check or "", `server` the one that it is about, "" when it is about the installation.
    """

    table_kind = "platform"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    rule = models.ForeignKey(AlertRule, models.PROTECT, db_index=False, related_name="+", verbose_name=_("rule"))
    subject = models.CharField(_("about"), max_length=60, blank=True)
    server = models.CharField(_("server"), max_length=100, blank=True)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity)
    value = models.FloatField(_("value"))
    worst = models.FloatField(_("worst"))
    note = models.CharField(_("what was found"), max_length=300, blank=True)
    raised_at = models.DateTimeField(_("raised"), default=timezone.now)
    seen_at = models.DateTimeField(_("last seen"), default=timezone.now)
    told_at = models.DateTimeField(_("told"), null=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True)
    acknowledged_by = models.ForeignKey(
        "core.User", models.SET_NULL, null=True, related_name="+", verbose_name=_("acknowledged by")
    )
    acknowledgement = models.CharField(_("said about it"), max_length=300, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering: ClassVar = ["-raised_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["rule", "subject", "server"], condition=models.Q(resolved_at=None), name="core_alert_once_open"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["rule", "subject", "server", "-raised_at"], name="core_alert_newest")]

    def __str__(self) -> str:
        return f"alert {str(self.pk)[-12:]}"

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None
