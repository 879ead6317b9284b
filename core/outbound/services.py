"""Setting up external systems. Platform roles alone; every change stands in the history, but for what is secret."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.errors import NotFound
from core.outbound.models import ExternalSystem
from core.outbound.registry import guard_of_systems, registry
from core.outbound.rules import clean_url
from core.validators import Problems
from core.validators.problems import details_of

MOST_ENDPOINTS = 16


def create_system(*, actor: Actor, data: Mapping[str, Any]) -> ExternalSystem:
    """A new system, by the model's field names. Raises ValidationFailed naming every wrong field. Two statements."""
    actor.require("external_system", "create")
    return _saved(ExternalSystem(), data)


def update_system(*, actor: Actor, system_id: UUID, changes: Mapping[str, Any]) -> ExternalSystem:
    """Change some fields; an `authorization` that isn't given stays. Raises NotFound, ValidationFailed. Three statements."""
    actor.require("external_system", "change")
    system = ExternalSystem.objects.select_for_update().filter(pk=system_id).first()
    if system is None:
        raise NotFound(_("There is no such system."))
    return _saved(system, changes)


def _saved(system: ExternalSystem, given: Mapping[str, Any]) -> ExternalSystem:
    for name, value in given.items():
        setattr(system, name, value)
    problems = Problems()
    try:
        system.full_clean()
    except ValidationError as error:
        problems.details += details_of(error)
    _check_endpoints(system.endpoints or [], problems)
    if system.health_path and not system.health_path.startswith("/"):
        problems.add("health_path", "invalid", _("A path begins with a slash."))
    problems.raise_if_any()
    system.save()
    transaction.on_commit(registry.read_anew)
    return system


def _check_endpoints(urls: list[str], problems: Problems) -> None:
    if len(urls) > MOST_ENDPOINTS or len(set(urls)) < len(urls):
        problems.add("endpoints", "invalid", _("At most %(most)d addresses, each once.") % {"most": MOST_ENDPOINTS})
    for url in urls:
        problems.check("endpoints", clean_url, url, guard=guard_of_systems())
        if "?" in url:
            problems.add("endpoints", "invalid", _("An address without a question mark, please."))
