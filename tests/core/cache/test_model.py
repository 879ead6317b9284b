"""Any history of reads, writes, rollbacks, psql, evictions and mishaps: a read is what a plain variable would say."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from hypothesis.strategies import booleans, integers, sampled_from

from clinics.models import ClinicSettings
from core.cache import Key, Tag, cache
from core.cache.memory import Memory
from core.cache.process import generations, listener, memory
from core.cache.store import Cache, LocalLevel
from core.tenancy.context import clinic_scope
from tests.architecture.catalogue import connected
from tests.core.cache.conftest import level_for
from tests.factories.patience import eventually
from tests.factories.redis_server import RedisServer
from tests.factories.threads import apart
from tests.factories.world import World

MINUTES = integers(1, 200)
WHO = integers(0, 1)


class Clinics(RuleBasedStateMachine):
    """Two clinics, two processes that read (this one, and one with a memory of its own), one number for each clinic."""

    ids: tuple[UUID, UUID]
    redis: RedisServer | None

    def __init__(self) -> None:
        super().__init__()
        own = Memory(100_000)
        shared = level_for(self.redis) if self.redis else None
        if shared is not None:
            shared.memory = own
        self.readers = (cache, Cache(LocalLevel(own, generations, listener.stamp), shared))
        self.expected = [15, 15]
        for which in (0, 1):
            self.write(which, 15, nested=False)

    def _read(self, reader: Cache, which: int) -> int:
        def work() -> int:
            with clinic_scope(self.ids[which], reason="model"):
                return reader.get_or_set(
                    Key("model"), tags=[Tag.all(ClinicSettings)],
                    load=lambda: ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get(),
                )  # fmt: skip

        return int(apart(work)[0])

    @rule(reader=WHO, which=WHO)
    def read(self, reader: int, which: int) -> None:
        assert self._read(self.readers[reader], which) == self.expected[which]

    @rule(which=WHO, minutes=MINUTES, nested=booleans())
    def write(self, which: int, minutes: int, nested: bool) -> None:
        def work() -> None:
            with clinic_scope(self.ids[which], reason="model"):
                ClinicSettings.objects.update(wait_warn_minutes=minutes if not nested else 1)
                if nested:
                    with clinic_scope(self.ids[which], reason="inner"):
                        ClinicSettings.objects.update(wait_warn_minutes=minutes)

        apart(work)
        self.expected[which] = minutes

    @rule(reader=WHO, which=WHO, minutes=MINUTES)
    def write_read_and_roll_back(self, reader: int, which: int, minutes: int) -> None:
        def work() -> Any:
            with pytest.raises(ZeroDivisionError), clinic_scope(self.ids[which], reason="model"):
                ClinicSettings.objects.update(wait_warn_minutes=minutes)
                seen.append(self.readers[reader].get_or_set(
                    Key("model"), tags=[Tag.all(ClinicSettings)],
                    load=lambda: ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get(),
                ))  # fmt: skip
                raise ZeroDivisionError

        seen: list[int] = []
        self.read(reader, which)  # so that there is something old to be taken for new
        apart(work)
        assert seen == [minutes], "one's own changes are seen"

    @rule(which=WHO, minutes=MINUTES)
    def write_in_psql(self, which: int, minutes: int) -> None:
        with connected("hms_maintenance") as psql:
            psql.execute(
                "UPDATE clinics_clinicsettings SET wait_warn_minutes = %s WHERE clinic_id = %s", [minutes, self.ids[which]]
            )
            psql.commit()
        self.expected[which] = minutes
        for reader in self.readers:
            eventually(lambda reader=reader: self._read(reader, which) == minutes)

    @rule(which=sampled_from([memory.clear, lambda: generations.bump(["*"])]))
    def forget(self, which: Any) -> None:
        which()

    @rule()
    def lose_the_listener(self) -> None:
        before = listener.stamp()
        with connected("postgres") as psql:
            psql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hms listener' "
                         "AND datname = current_database()")  # fmt: skip
        eventually(lambda: listener.stamp() not in (None, before))

    @rule(flush=booleans())
    def lose_redis(self, flush: bool) -> None:
        if self.redis is None:
            return
        if flush:
            self.redis.client().flushall()
        else:
            self.redis.kill()
            self.redis.start()


def test_every_history_keeps_the_promise(world: World, listening: None, request: pytest.FixtureRequest) -> None:
    with_redis = cache.shared is not None
    Clinics.ids = (world.riverside.clinic.pk, world.hillcrest.clinic.pk)
    Clinics.redis = request.getfixturevalue("redis_of_the_run") if with_redis else None
    try:
        run_state_machine_as_test(
            Clinics,
            settings=settings(max_examples=8, stateful_step_count=25, deadline=None, database=None,
                              suppress_health_check=list(HealthCheck)),
        )  # fmt: skip
    finally:
        for which in (0, 1):
            Clinics().write(which, 15, nested=False)
