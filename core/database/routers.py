"""Which connection a query takes: the application's, the platform's inside a platform scope, or a replica's."""

from typing import Any

from django.db import connections
from django.db.models import Model

from core.cache.store import loading
from core.database.replica import ALIAS
from core.tenancy.context import current_scope
from core.tenancy.units import unit_of


class ScopeRouter:
    """Inside `platform_scope` everything reads and writes as hms_platform.

    Where the scope allows a replica, reads go there until the unit has written; what a cache keeps never does.
    """

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        scope = current_scope()
        if scope is not None and scope.replica and not loading() and not _has_written():
            return ALIAS
        return self.db_for_write(model, **hints)

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        scope = current_scope()
        return "platform" if scope is not None and scope.platform else "default"

    def allow_relation(self, left: Model, right: Model, **hints: Any) -> bool:
        return True  # one database, whoever asks

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"


def _has_written() -> bool:
    unit = unit_of(connections["default"])
    return unit is not None and unit.written
