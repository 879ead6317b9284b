"""What is around the database: Redis, this process's listener, other systems, backups."""

from django.conf import settings

from core.backup.status import last_backup
from core.health.checks import Status, Unwell
from core.listening import listener
from core.outbound.checking import check_all
from core.outbound.registry import registry
from core.redis import link
from core.tenancy.context import Scope, unit_of_work


def has_redis() -> bool:
    return link is not None


def redis() -> dict[str, float]:
    """Does it answer in the time that HMS gives it? Trouble begins the pause in which this process does without it."""
    answered = False
    if link is not None:
        with link.using() as client:
            if client is not None:
                answered = bool(client.ping())
    if not answered:
        raise Unwell("It doesn't answer: HMS does without it, slower.")
    return {}


def hearing() -> dict[str, float]:
    """Does this process hear what is committed? Web processes listen; others have nothing to hear."""
    if listener.is_running and listener.stamp() is None:
        raise Unwell("This process hears nothing of what is committed: pages are not live.")
    return {"listening": float(listener.is_running)}


def external_systems() -> dict[str, float]:
    """Do the systems that HMS asks answer? Each endpoint is asked; one that doesn't degrades, a system without any is unhealthy."""
    with unit_of_work(Scope(reason="health")):
        registry.systems()  # read now: no transaction is open while others are asked
    found = check_all()
    by_system: dict[str, list[str]] = {}
    for (system, _endpoint), cause in found.items():
        by_system.setdefault(system, []).append(cause)
    figures = {"systems": float(len(by_system)), "endpoints": float(len(found))}
    if away := sorted(name for name, causes in by_system.items() if all(causes)):
        raise Unwell(f"Away: {', '.join(away)}.", figures=figures)
    if partly := sorted(name for name, causes in by_system.items() if any(causes)):
        raise Unwell(f"Partly away: {', '.join(partly)}.", Status.DEGRADED, figures)
    return figures


def makes_backups() -> bool:
    return bool(settings.HMS_BACKUP_TARGET)


def backup() -> dict[str, float]:
    """Is the newest one young enough (HMS_BACKUP_HOURS)? Twice that age is unhealthy, and so is none."""
    with unit_of_work(Scope(reason="health")):
        last = last_backup()
    if last is None:
        raise Unwell("There is no backup.")
    hours = last.age.total_seconds() / 3600
    figures = {"age_hours": round(hours, 2)}
    if hours > settings.HMS_BACKUP_HOURS:
        status = Status.UNHEALTHY if hours > 2 * settings.HMS_BACKUP_HOURS else Status.DEGRADED
        raise Unwell(f"The newest is {hours:.0f} hours old.", status, figures)
    return figures
