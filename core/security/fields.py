"""Model fields whose text is encrypted in the database: always, or where the row's clinic marks the field as protected."""

from typing import Any

from django.db import models

from core.keys.memory import keys_of
from core.keys.sealing import SEALED_TEXT, seal, seal_text, unseal, unseal_text
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


class Stored(str):
    """A text as it goes into its column: decided whether sealed or in clear."""

    __slots__ = ()


class Protectable(models.Field):  # type: ignore[type-arg]
    """Mixed into a field of text: sealed in its column where the row's clinic marks the field (`Clinic.protected_fields`).

    The column holds clear and sealed values side by side and reading opens what is sealed, whatever the clinic marks now. So
    nothing but `isnull` can be asked of it in SQL; it is found by tokens, or not. An empty text stays empty. No statement
    while the clinic's keys are in memory, else one. Only for a clinic's tables.
    """

    is_protectable = True  # core.tenancy.protection and core.keys.places find it by this

    def get_internal_type(self) -> str:
        return "TextField"  # a sealed value is longer than a clear one: the length is the rules' business, not the column's

    @property
    def mark(self) -> str:
        """The field's name in `Clinic.protected_fields`."""
        return f"{self.model._meta.model_name}.{self.name}"

    @property
    def context(self) -> str:
        """As of an EncryptedTextField."""
        return f"{self.model._meta.db_table}.{self.column}"

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> Any:
        return None

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The row's own clinic counts, as for an EncryptedTextField."""
        value = super().pre_save(model_instance, add)
        clinic_id = getattr(model_instance, "clinic_id", None)
        return self._stored(value, clinic_id) if clinic_id and isinstance(value, str) and value else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        value = value if prepared else self.get_prep_value(value)
        if not isinstance(value, str) or not value:
            return value
        return str(value if isinstance(value, Stored) else self._stored(value, current_clinic_id()))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return unseal_text(value, context=self.context) if value else value

    def _stored(self, value: str, clinic_id: Any) -> Stored:
        """Raises ValueError for a text that would be taken for a sealed one."""
        if value.startswith(SEALED_TEXT):
            raise ValueError(f"A text of {self.context} began with a control character.")
        if self.mark in keys_of(clinic_id).protected:
            return Stored(seal_text(value, clinic_id=clinic_id, context=self.context))
        return Stored(value)


class ProtectableCharField(Protectable, models.CharField):  # type: ignore[type-arg]
    """A line of text that a clinic may protect."""


class ProtectableEmailField(Protectable, models.EmailField):  # type: ignore[type-arg]
    """An e-mail address that a clinic may protect."""


class ProtectableTextField(Protectable, models.TextField):  # type: ignore[type-arg]
    """Lines of text that a clinic may protect."""
