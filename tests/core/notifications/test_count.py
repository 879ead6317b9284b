"""The number at the bell is kept between requests, and true. What is kept is committed: hence a file of its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from core.accounts.roles import Role
from core.database.detector import Detector
from core.notifications.services import mark_all_read, unread_count
from core.notifications.writing import notify
from core.tenancy.context import clinic_scope
from tests.architecture.catalogue import connected
from tests.core.cache.conftest import listening, redis_of_the_run, with_redis
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place

__all__ = ["listening", "redis_of_the_run", "with_redis"]


@pytest.fixture
def taken_away() -> Iterator[None]:
    yield
    with connected("postgres") as found:
        found.execute("DELETE FROM core_notification")
        found.commit()


def test_it_costs_a_query_when_something_has_changed_and_else_none(riverside: Place, listening: None, taken_away: Any) -> None:
    actor, user = riverside.actor(Role.NURSE), riverside.users[Role.NURSE]

    def counted() -> tuple[int, int]:
        """The number, and the queries for it."""
        with clinic_scope(riverside.clinic, user_id=user.pk, reason="test"), Detector().on(connection) as seen:
            return unread_count(actor), seen.count

    def told() -> None:
        with clinic_scope(riverside.clinic, reason="test"):
            notify([user.pk], "webhook_off", clinic=riverside.clinic)

    def read() -> None:
        with clinic_scope(riverside.clinic, user_id=user.pk, reason="test"):
            mark_all_read(actor=actor)

    for change, number in ((lambda: None, 0), (told, 1), (told, 2), (read, 0)):
        apart(change)
        eventually(lambda number=number: apart(counted)[0][0] == number)  # type: ignore[misc]
        assert apart(counted) == [(number, 0)]
