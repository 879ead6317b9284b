"""The list of all that the foundation looks at, with how much each matters. Apps add theirs by `core.health.checks.register`."""

from core.health import databases, machine, neighbours, work
from core.health.checks import Check, Weight, register

DATABASE = "database"


def register_all() -> None:
    """At start."""
    found = (
        Check(DATABASE, databases.database, Weight.REQUIRED),
        Check("migrations", databases.migrations, Weight.REQUIRED, kept=10, through=DATABASE),
        Check("access_log", machine.access_log, Weight.REQUIRED),
        Check("replica", databases.replica, Weight.HELPFUL, applies=databases.has_replica, through=DATABASE),
        Check("cache", neighbours.redis, Weight.HELPFUL, applies=neighbours.has_redis),
        Check("events", neighbours.hearing, Weight.NEEDED, kept=0.5, through=DATABASE),
        Check("broker", work.broker, Weight.NEEDED, limit=4, kept=5),
        Check("workers", work.workers, Weight.NEEDED, kept=5, through=DATABASE),
        Check("clock", work.clock, Weight.NEEDED, kept=5, through=DATABASE),
        Check("disk", machine.disk, Weight.NEEDED, kept=10),
        Check("memory", machine.memory, Weight.NEEDED),
        Check("certificate", machine.certificate, Weight.NEEDED, kept=60, applies=machine.has_certificate),
        Check("backup", neighbours.backup, Weight.NEEDED, kept=60, applies=neighbours.makes_backups),
        Check("external_systems", neighbours.external_systems, Weight.HELPFUL, limit=5, kept=60, through=DATABASE),
    )
    for check in found:
        register(check)
