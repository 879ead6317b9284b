"""The cache without Redis: when a value is kept, and what makes it stale."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from clinics.models import ClinicSettings, Location
from core.cache import TTL, Key, Tag, cache, cached, loading
from core.cache.guard import ForgottenTag
from core.cache.process import generations, listener, memory
from core.errors import ClinicScopeRequired
from core.tenancy.context import clinic_scope
from tests.architecture.catalogue import connected
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import World


@dataclass
class Desk:
    """Reads one number through the cache, and changes it; each on a connection of its own, committed."""

    clinic_id: UUID
    loads: int = 0

    def read(self) -> int:
        return apart(self.reading)[0]

    def reading(self) -> int:
        with clinic_scope(self.clinic_id, reason="test"):
            return self.within()

    def within(self) -> int:
        def load() -> int:
            self.loads += 1
            return ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get()

        return cache.get_or_set(Key("test.wait"), tags=[Tag.all(ClinicSettings)], ttl=TTL.CLINIC, load=load)

    def write(self, minutes: int, *, fail: bool = False) -> None:
        def writing() -> None:
            with clinic_scope(self.clinic_id, reason="test"):
                ClinicSettings.objects.update(wait_warn_minutes=minutes)
                if fail:
                    raise ZeroDivisionError

        apart(writing)


@pytest.fixture
def desk(world: World, listening: None) -> Iterator[Desk]:
    desk = Desk(world.riverside.clinic.pk)
    yield desk
    desk.write(15)


def test_the_second_read_needs_no_database(desk: Desk) -> None:
    assert (desk.read(), desk.read(), desk.loads) == (15, 15, 1)


def test_the_next_read_sees_a_write(desk: Desk) -> None:
    desk.read()
    for minutes in (16, 17, 18):
        desk.write(minutes)
        assert desk.read() == minutes


def test_a_write_that_failed_makes_nothing_stale(desk: Desk) -> None:
    desk.read()
    with pytest.raises(ZeroDivisionError):
        desk.write(99, fail=True)
    assert (desk.read(), desk.loads) == (15, 1)


def test_another_clinic_has_values_of_its_own(desk: Desk, world: World) -> None:
    other = Desk(world.hillcrest.clinic.pk)
    desk.read()
    desk.write(44)
    assert (other.read(), desk.read(), other.read(), other.loads) == (15, 44, 15, 1)


def test_a_change_in_psql_is_heard(desk: Desk) -> None:
    desk.read()
    with connected("hms_maintenance") as psql:
        psql.execute("UPDATE clinics_clinicsettings SET wait_warn_minutes = 33 WHERE clinic_id = %s", [desk.clinic_id])
        psql.commit()
    eventually(lambda: desk.read() == 33)


def test_a_change_by_another_process_of_the_machine_is_seen_at_once(desk: Desk) -> None:
    """As core.cache.store.LocalLevel.bump does it there. (With Redis it is told there as well: test_shared.)"""
    if cache.shared is not None:
        pytest.skip("with Redis it is told there")
    desk.read()
    generations.bump([f"clinics_clinicsettings:{desk.clinic_id}"])
    desk.read()
    assert desk.loads == 2


def test_a_transaction_that_has_written_reads_from_the_source_and_keeps_nothing(desk: Desk) -> None:
    desk.read()

    def work() -> None:
        with pytest.raises(ZeroDivisionError), clinic_scope(desk.clinic_id, reason="test"):
            assert desk.within() == 15
            ClinicSettings.objects.update(wait_warn_minutes=77)
            assert desk.within() == 77
            raise ZeroDivisionError

    apart(work)
    assert desk.read() == 15
    assert desk.loads == 2


@pytest.mark.parametrize("statement", ["SELECT 1 FROM clinics_clinicsettings FOR UPDATE", "SELECT pg_advisory_xact_lock(1)"])
def test_after_a_lock_the_source_is_asked(desk: Desk, statement: str) -> None:
    desk.read()

    def work() -> None:
        with clinic_scope(desk.clinic_id, reason="test"), connection.cursor() as cursor:
            cursor.execute(statement)
            desk.within()

    apart(work)
    assert desk.loads == 2


def test_inside_a_transaction_that_is_not_ours_the_source_is_asked(desk: Desk) -> None:
    desk.read()

    def work() -> None:
        with transaction.atomic():
            desk.reading()

    apart(work)
    assert desk.loads == 2


def test_what_is_loaded_while_somebody_writes_is_not_believed(desk: Desk) -> None:
    """The loader reads, then the write commits, then the value is stored: it must not count."""

    def slow() -> int:
        with clinic_scope(desk.clinic_id, reason="test"):

            def load() -> int:
                found = ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get()
                desk.write(55)
                return found

            return cache.get_or_set(Key("test.wait"), tags=[Tag.all(ClinicSettings)], load=load)

    assert apart(slow) == [15]
    assert desk.read() == 55


def test_none_is_a_value(desk: Desk) -> None:
    loads: list[int] = []

    def look() -> None:
        return cache.get_or_set(
            Key("test.none", 1), tags=[Tag.all(Location, clinic_id=desk.clinic_id)], load=lambda: loads.append(1)
        )

    assert apart(look) + apart(look) == [None, None]
    assert len(loads) == 1


def test_many_threads_at_once_load_once(desk: Desk) -> None:
    assert apart(*[desk.reading] * 8) == [15] * 8
    assert desk.loads == 1


def test_who_waited_for_a_loader_does_not_get_what_is_older_than_the_question(desk: Desk) -> None:
    """A loader has read; a write completes; then somebody asks and waits for that loader: they see the write."""
    has_read, may_end, answers = threading.Event(), threading.Event(), []

    def first() -> int:
        def load() -> int:
            found = ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get()
            has_read.set()
            assert may_end.wait(10)
            return found

        with clinic_scope(desk.clinic_id, reason="test"):
            return cache.get_or_set(Key("test.wait"), tags=[Tag.all(ClinicSettings)], load=load)

    early = threading.Thread(target=lambda: apart(first))
    early.start()
    assert has_read.wait(10)
    desk.write(66)
    late = threading.Thread(target=lambda: answers.append(desk.read()))
    late.start()
    eventually(lambda: late.ident is not None)
    may_end.set()
    early.join(10)
    late.join(10)
    assert answers == [66]


def test_a_listener_that_lost_its_connection_empties_the_memory(desk: Desk) -> None:
    desk.read()
    assert len(memory)
    before = listener.stamp()
    with connected("postgres") as psql:
        psql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hms listener' "
                     "AND datname = current_database()")  # fmt: skip
    eventually(lambda: listener.stamp() not in (None, before))
    if cache.shared is not None:
        eventually(lambda: cache.shared.membership.is_member)  # type: ignore[union-attr]
    desk.read()
    assert desk.loads == 2


def test_without_a_listener_nothing_is_kept(world: World) -> None:
    desk = Desk(world.riverside.clinic.pk)
    assert (desk.read(), desk.read(), desk.loads) == (15, 15, 2)


def test_the_memory_is_bounded_by_bytes_and_drops_the_longest_unused(desk: Desk) -> None:
    def read(number: int) -> Any:
        return cache.get_or_set(
            Key("test.big", number), tags=[Tag.all(Location, clinic_id=desk.clinic_id)], load=lambda: b"x" * 1_000_000
        )

    def fill() -> None:
        for number in range(40):
            read(number)
            assert memory.weight <= memory.limit

    apart(fill)
    held, weight = memory.by_family()["test.big"]
    assert 10 <= held <= 16
    assert weight > 10_000_000
    misses = cache.statistics.snapshot()["test.big"]["misses"]
    apart(lambda: read(39))
    assert cache.statistics.snapshot()["test.big"]["misses"] == misses


def test_a_forgotten_tag_fails(world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="test"), pytest.raises(ForgottenTag, match="clinics_location"):
        cache.get_or_set(Key("test.forgotten"), tags=[Tag.all(ClinicSettings)], load=lambda: Location.objects.count())


def test_what_can_change_is_refused(world: World) -> None:
    with clinic_scope(world.riverside.clinic, reason="test"):
        for value in ([1], {"a": 1}, {1}, Location(), (1, [2]), bytearray(b"x"), object()):
            with pytest.raises(TypeError, match="can't be cached"):
                cache.get_or_set(Key("test.mutable"), tags=[], load=lambda value=value: value)


def test_a_key_holds_plain_data_and_tells_types_apart() -> None:
    texts = {Key("f", argument).text() for argument in (1, 1.0, True, "1", b"1", None, (1,), frozenset({1}))}
    assert len(texts) == 8
    assert Key("f", frozenset({"a", "b"})).text() == Key("f", frozenset({"b", "a"})).text()
    with pytest.raises(TypeError):
        Key("f", [1]).text()


def test_a_tag_needs_a_clinic_and_its_own_columns(world: World) -> None:
    with pytest.raises(ClinicScopeRequired):
        Tag.all(Location)
    with pytest.raises(KeyError):
        Tag("nothing", 1)
    with pytest.raises(TypeError):
        Tag("user")
    assert Tag("user", world.nobody.pk).texts == (f"user:{world.nobody.pk}", "core_user:*")


def test_a_selector_is_cached_by_its_arguments(desk: Desk) -> None:
    calls: list[tuple[int, bool]] = []

    @cached("test.selector", tags=lambda number, doubled=False: [Tag.all(Location)])
    def selector(number: int, doubled: bool = False) -> int:
        calls.append((number, loading()))
        return number * 2 if doubled else number

    def work() -> list[int]:
        with clinic_scope(desk.clinic_id, reason="test"):
            return [selector(1), selector(number=1), selector(1, doubled=True), selector(1, True), selector.uncached(7)]  # type: ignore[attr-defined]

    assert apart(work) == [[1, 1, 2, 2, 7]]
    assert calls == [(1, True), (1, True), (7, False)]
