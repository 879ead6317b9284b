"""Sessions in the database, read through the cache: signing out ends one for every process at once."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.models import Session
from django.db import connections
from django.utils import timezone

from core.cache import TTL, Key, Tag, cache
from core.tenancy.context import Scope, current_scope, unit_of_work


class SessionStore(DatabaseStore):
    """`settings.SESSION_ENGINE`. Where sessions are saved after the request's transaction, they get one of their own."""

    def load(self) -> dict[str, Any]:
        """No query, or one."""
        key = self.session_key or ""
        digest = hashlib.sha256(key.encode()).hexdigest()

        def row() -> tuple[str, datetime]:
            signed, until = Session.objects.values_list("session_data", "expire_date").get(session_key=key)
            return json.dumps(self.decode(signed)), until  # so that the signature is looked at once

        try:
            data, until = cache.get_or_set(
                Key("core.session", digest), tags=lambda: [Tag("session", digest)], ttl=TTL.PATIENT, load=row
            )
        except Session.DoesNotExist:  # not kept: keys that somebody makes up would fill the cache
            data, until = "{}", timezone.now()
        if until <= timezone.now():
            self._session_key = None
            return {}
        held: dict[str, Any] = json.loads(data)
        return held

    def save(self, must_create: bool = False) -> None:
        with _transaction():
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with _transaction():
            super().delete(session_key)

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session


@contextmanager
def _transaction() -> Iterator[None]:
    """The one that is open, or a unit of work: so that the change is known everywhere when this returns."""
    if connections["default"].in_atomic_block:
        yield
        return
    scope = current_scope()
    with unit_of_work(Scope(request_id=scope.request_id if scope else "", reason="session")):
        yield
