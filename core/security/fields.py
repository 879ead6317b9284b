"""A model field whose text is encrypted in the database."""

from typing import Any

from django.db import models

from core.security.crypto import decrypt, encrypt


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text, encrypted at rest in a bytea column. It can't be searched or sorted by; an empty text stays empty."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", "")
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        return "BinaryField"

    @property
    def _context(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, str):
            return encrypt(value.encode(), context=self._context) if value else b""
        return value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        if value is None:
            return None
        sealed = bytes(value)
        return decrypt(sealed, context=self._context).decode() if sealed else ""
