"""A model field whose text is encrypted in the database."""

from typing import Any

from django.db import models

from core.keys.sealing import seal, unseal
from core.security.crypto import encrypt
from core.tenancy.context import current_clinic_id


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text, encrypted at rest in a bytea column. It can't be searched or sorted by; an empty text stays empty.

    In a clinic's table it is encrypted under the clinic's newest key (core.keys), elsewhere under the deployment's.
    """

    is_encrypted = True  # core.keys.places finds it by this

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", "")
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        return "BinaryField"

    @property
    def context(self) -> str:
        """What is bound to every value: a value of another column is not read here."""
        return f"{self.model._meta.db_table}.{self.column}"

    @property
    def _is_a_clinics(self) -> bool:
        return getattr(self.model, "table_kind", "") == "clinic"

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The row's own clinic counts, not the scope's: in a platform scope there is none."""
        value = super().pre_save(model_instance, add)
        if isinstance(value, str) and value and self._is_a_clinics and (clinic_id := getattr(model_instance, "clinic_id", None)):
            return seal(value.encode(), clinic_id=clinic_id, context=self.context)
        return value

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if not isinstance(value, str):
            return value
        if not value:
            return b""
        if self._is_a_clinics:
            return seal(value.encode(), clinic_id=current_clinic_id(), context=self.context)
        return encrypt(value.encode(), context=self.context)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        if value is None:
            return None
        sealed = bytes(value)
        return unseal(sealed, context=self.context).decode() if sealed else ""
