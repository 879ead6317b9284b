"""What may be read from a replica, and by whom; a real one is in tests/chaos/test_replica.py."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections, router, transaction

from clinics.models import Location
from core.accounts.roles import Role
from core.cache import TTL, Key, Tag, cache
from core.database.replica import UNKNOWN, Replica, number
from core.tenancy.context import clinic_scope, narrowed, platform_scope, reading_from
from core.tenancy.ids import new_id
from tests.factories.databases import another
from tests.factories.world import Place


@pytest.fixture
def beside(riverside: Place) -> Iterator[Place]:
    """Riverside's scope on a connection of its own, and beside it one that stands for the replica's."""
    with another("default"), another("replica"), clinic_scope(riverside.clinic, reason="replica"):
        yield riverside


def test_reads_go_there_only_where_the_scope_says_so(beside: Place) -> None:
    assert Location.objects.all().db == "default"
    with reading_from("replica"):
        assert Location.objects.all().db == "replica"
        assert Location.objects.select_for_update().db == "default"
        assert router.db_for_write(Location) == "default"
    assert Location.objects.all().db == "default"


def test_the_replica_knows_the_clinic_and_no_other(beside: Place, hillcrest: Place) -> None:
    own, others = ({location.pk for location in place.locations} for place in (beside, hillcrest))
    with reading_from("replica"):
        seen = set(Location.objects.values_list("pk", flat=True))
        assert seen >= own
        assert not seen & others
        with narrowed(clinic_id=hillcrest.clinic.pk):
            assert set(Location.objects.values_list("pk", flat=True)) >= others


def test_after_a_write_the_unit_reads_what_it_wrote(beside: Place) -> None:
    with reading_from("replica"):
        Location.objects.create(name="New wing")
        assert Location.objects.all().db == "default"
        assert Location.objects.filter(name="New wing").exists()
        transaction.set_rollback(True)


def test_what_a_cache_keeps_is_read_from_the_primary(beside: Place) -> None:
    with reading_from("replica"):
        key = Key("test.replica", str(new_id()))
        load = lambda: Location.objects.all().db  # noqa: E731
        assert cache.get_or_set(key, tags=lambda: [Tag.all(Location)], load=load, ttl=TTL.CLINIC) == "default"


def test_the_platform_stays_on_its_own_connection(beside: Place) -> None:
    with reading_from("replica"), platform_scope(reason="replica"):
        assert Location.objects.all().db == "platform"


@pytest.mark.parametrize(
    ("position", "expected"),
    [("0/0", 0), ("0/10", 16), ("1/0", 1 << 32), ("16/B374D848", 0x16B374D848), ("", 0), ("'; DROP", 0), ("1/2/3", 0), ("g/1", 0)],
)
def test_positions_are_compared_as_numbers(position: str, expected: int) -> None:
    assert number(position) == expected


def test_a_person_is_served_what_they_wrote_and_what_they_say_they_saw() -> None:
    replica, person = Replica(), new_id()
    assert replica.position_of(person, "") == 0
    assert replica.position_of(person, "0/10") == 16
    with another("default"):
        wrote = number(replica.wrote(person))
    assert replica.position_of(person, "0/10") == wrote > 16
    assert replica.position_of(new_id(), "") == 0
    assert replica.position_of(None, "") == 0
    assert number(UNKNOWN) > wrote


def test_a_server_that_is_no_replica_serves_nobody() -> None:
    with another("default"), another("replica"):
        assert not Replica().serves(0)


def test_without_a_replica_nothing_is_different(riverside: Place, api: Any) -> None:
    assert "replica" not in settings.DATABASES
    assert "core.middleware.ReplicaMiddleware" not in settings.MIDDLEWARE
    answer = api(riverside.users[Role.RECEPTIONIST], riverside.clinic).get("patients")
    assert "X-HMS-Position" not in answer
    assert "replica" not in list(connections)
