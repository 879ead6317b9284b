"""The clinic's own rows and no others: the ORM's half of the separation (row-level security is the other)."""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import models

from core.errors import ClinicScopeRequired, NotFound
from core.tenancy.context import current_scope

M = TypeVar("M", bound=models.Model, covariant=True)


class ClinicQuerySet(models.QuerySet[M]):
    """A queryset of one clinic. Made outside of a scope it raises ClinicScopeRequired."""

    def found(self, **lookup: Any) -> M:
        """The one row that matches. Raises NotFound (also for another clinic's row). One query."""
        try:
            return self.get(**lookup)
        except (ObjectDoesNotExist, ValidationError, ValueError, TypeError) as error:
            raise NotFound(f"There is no such {self.model._meta.verbose_name}.") from error

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        scope = current_scope()
        objs = list(objs)
        for obj in objs:
            if scope and scope.clinic_id and getattr(obj, "clinic_id", None) is None:
                obj.clinic_id = scope.clinic_id  # type: ignore[attr-defined]
        return super().bulk_create(objs, *args, **kwargs)


class ClinicManager(models.Manager[M]):
    """Gives querysets of the scope's clinic; all clinics' in a platform scope; raises without either."""

    def get_queryset(self) -> ClinicQuerySet[M]:
        queryset: ClinicQuerySet[M] = super().get_queryset()  # type: ignore[assignment]
        scope = current_scope()
        if scope is not None and scope.platform:
            return queryset
        if scope is None or scope.clinic_id is None:
            raise ClinicScopeRequired(f"{self.model.__name__} was asked for outside of a clinic scope.")
        return queryset.filter(clinic_id=scope.clinic_id)
