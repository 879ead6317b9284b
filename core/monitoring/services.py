"""What operators do about alerts: change the rules, and say that they know of an alert."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import Conflict, NotFound
from core.health.checks import checks
from core.monitoring.metrics import HEALTH, Rule
from core.monitoring.models import Alert, AlertRule
from core.validators import Problems
from core.validators.problems import details_of
from core.validators.text import clean_text

LONGEST = 300  # characters that may be said about an alert


def create_rule(*, actor: Actor, data: Mapping[str, Any]) -> AlertRule:
    """A new rule, by the model's field names. Raises ValidationFailed naming every wrong field. Three statements."""
    actor.require("alert", "create")
    return _saved(AlertRule(), data)


def update_rule(*, actor: Actor, rule_id: UUID, changes: Mapping[str, Any]) -> AlertRule:
    """Change some fields; servers follow within half a minute. Raises NotFound, ValidationFailed. Four statements."""
    actor.require("alert", "change")
    rule = AlertRule.objects.select_for_update().filter(pk=rule_id).first()
    if rule is None:
        raise NotFound(_("There is no such rule."))
    return _saved(rule, changes)


def acknowledge(*, actor: Actor, alert_id: UUID, note: str = "") -> Alert:
    """This person knows of it: nobody is reminded. Raises NotFound, ValidationFailed, Conflict for one that is over or that
    somebody knows of already. Two statements."""
    actor.require("alert", "acknowledge")
    alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
    if alert is None:
        raise NotFound(_("There is no such alert."))
    if not alert.is_open:
        raise Conflict(_("It is over."))
    if alert.acknowledged_at is not None:
        raise Conflict(_("Somebody knows of it already."))
    problems = Problems()
    alert.acknowledgement = problems.check("reason", clean_text, note, max_length=LONGEST) or ""
    problems.raise_if_any()
    alert.acknowledged_at, alert.acknowledged_by_id = timezone.now(), actor.user_id
    alert.save(update_fields=["acknowledged_at", "acknowledged_by", "acknowledgement"])
    return alert


def rule_of(row: AlertRule) -> Rule:
    """As it is worked with."""
    return Rule(**{one.name: getattr(row, one.name) for one in fields(Rule)})


def _saved(rule: AlertRule, given: Mapping[str, Any]) -> AlertRule:
    for name, value in given.items():
        setattr(rule, name, value)
    problems = Problems()
    try:
        rule.full_clean()
    except ValidationError as error:
        problems.details += details_of(error)
    if rule.subject and (rule.metric != HEALTH or rule.subject not in {one.name for one in checks()}):
        problems.add("subject", "invalid", _("There is no such check; other metrics than health have none."))
    problems.raise_if_any()
    rule.updated_at = timezone.now()
    rule.save()
    return rule
