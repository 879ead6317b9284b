"""Which connection a query takes: the application's, or the platform's inside a platform scope."""

from typing import Any

from django.db.models import Model

from core.tenancy.context import current_scope


class ScopeRouter:
    """Inside `platform_scope` everything reads and writes as hms_platform."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        scope = current_scope()
        return "platform" if scope is not None and scope.platform else "default"

    db_for_write = db_for_read

    def allow_relation(self, left: Model, right: Model, **hints: Any) -> bool:
        return True  # two roles, one database

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "default"
