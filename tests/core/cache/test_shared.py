"""The cache with Redis: other machines, restarts, stalls, and who may say that nothing was missed."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinics.models import ClinicSettings
from core.cache import Key, Tag, cache, seen
from core.cache.generations import Generations
from core.cache.memory import Memory
from core.cache.process import Ears, ears, generations, listener, memory
from core.cache.secrecy import Secrecy
from core.cache.seen import Heard
from core.cache.shared import SharedLevel
from core.cache.store import Cache, LocalLevel
from core.redis import RETRY_SECONDS
from core.tenancy.context import clinic_scope
from core.tenancy.units import Unit
from tests.core.cache.conftest import level_for
from tests.core.cache.test_store import Desk
from tests.factories.patience import PATIENCE, eventually
from tests.factories.redis_server import RedisServer
from tests.factories.threads import apart
from tests.factories.world import World


@pytest.fixture
def desk(world: World, with_redis: SharedLevel) -> Iterator[Desk]:
    memory.clear()
    listener.start()
    desk = Desk(world.riverside.clinic.pk)
    try:
        eventually(lambda: with_redis.membership.is_member)
        yield desk
        desk.write(15)
    finally:
        listener.stop()
        memory.clear()


def elsewhere(server: RedisServer, desk: Desk) -> tuple[Cache, Callable[[], int]]:
    """A process on another machine that listens to nothing: its own memory, the same Redis."""
    level = level_for(server)
    level.memory = Memory(1_000_000)
    other = Cache(cache.local.__class__(level.memory, cache.local.generations, lambda: None), level)

    def read() -> int:
        def work() -> int:
            with clinic_scope(desk.clinic_id, reason="test"):
                return other.get_or_set(
                    Key("test.wait"), tags=[Tag.all(ClinicSettings)],
                    load=lambda: ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get(),
                )  # fmt: skip

        return int(apart(work)[0])

    return other, read


def hits(other: Cache) -> tuple[float, float]:
    figures = other.statistics.snapshot()["test.wait"]
    return figures["memory_hits"], figures["redis_hits"]


def test_other_machines_share_values_and_see_every_write(
    desk: Desk, redis_of_the_run: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("core.listening", "core.cache.shared"):  # a machine that is busy with other tests makes nobody ask again
        monkeypatch.setattr(f"{module}.TRUSTED", 30.0)
    other, read = elsewhere(redis_of_the_run, desk)
    desk.read()
    assert (read(), read()) == (15, 15)
    assert hits(other) == (1, 1)
    for minutes in (16, 17, 18):
        desk.write(minutes)
        assert read() == minutes


def test_the_writer_s_next_read_is_right_where_redis_is_in_trouble_and_nothing_was_heard_yet(
    desk: Desk, redis_of_the_run: RedisServer, tmp_path: Path
) -> None:
    """Two machines: the one that writes reaches Redis, the one that is asked next does not, and trusts what it keeps itself."""
    level, spell = level_for(redis_of_the_run), object()
    level.memory = Memory(1_000_000)
    there = Cache(LocalLevel(level.memory, Generations(tmp_path / "generations"), lambda: spell), level)
    heard = Heard()

    def write() -> str:
        with seen.request("", machine=generations.machine, heard=ears.heard, told=ears.told) as written:
            with clinic_scope(desk.clinic_id, reason="test"):
                ClinicSettings.objects.update(wait_warn_minutes=16)
            return written.mark()

    def read(said: str = "") -> int:
        with (
            seen.request(said, machine=there.local.generations.machine, heard=heard, told=Heard()),
            clinic_scope(desk.clinic_id, reason="test"),
        ):
            return int(there.get_or_set(
                Key("test.wait"), tags=[Tag.all(ClinicSettings)],
                load=lambda: ClinicSettings.objects.values_list("wait_warn_minutes", flat=True).get(),
            ))  # fmt: skip

    def asked(said: str = "") -> int:
        return int(apart(lambda: read(said))[0])

    level.link._retry_at = time.monotonic() + 60
    assert (asked(), asked(), there.statistics.snapshot()["test.wait"]["misses"]) == (15, 15, 1)
    (mark,) = apart(write)
    assert mark.endswith(".redis")
    assert (asked(), asked(mark)) == (15, 16), "it has heard nothing, and only whoever has seen more asks the source"
    level.link.retry_now()
    before = there.statistics.snapshot()["test.wait"]
    assert (asked(mark), asked(mark)) == (16, 16)
    after = there.statistics.snapshot()["test.wait"]
    assert after["passed"] == before["passed"], "Redis knows, so it is asked"
    level.link._retry_at = time.monotonic() + 60
    there.local.generations.bump([f"clinics_clinicsettings:{desk.clinic_id}"])
    heard.add(mark.split(".")[1])
    assert (asked(mark), asked(mark)) == (16, 16)
    assert there.statistics.snapshot()["test.wait"]["passed"] == before["passed"], "what was heard counts again"


def test_redis_can_be_read_by_nobody_else(desk: Desk, redis_of_the_run: RedisServer) -> None:
    def work() -> None:
        with clinic_scope(desk.clinic_id, reason="test"):
            cache.get_or_set(Key("test.secret", "Ann Patient"), tags=[Tag.all(ClinicSettings)], load=lambda: "Born in May")

    apart(work)
    client = redis_of_the_run.client()
    client.config_set("rdbcompression", "no")
    client.set("test.plain", "Cleo")
    names = client.keys("*")
    assert len(names) >= 5
    content = b"".join([*names, *(client.dump(name) or b"" for name in names)])  # whatever kind each is of, in Redis's own bytes
    assert b"Cleo" in content, "a value in clear would be seen"
    for told in (b"Ann", b"Born", b"test.secret", b"clinicsettings", str(desk.clinic_id).encode()):
        assert told not in content


def test_a_restored_snapshot_counts_for_nothing(desk: Desk, redis_of_the_run: RedisServer) -> None:
    """Redis comes back with everything as it was before the last write."""
    desk.read()
    redis_of_the_run.client().save()
    desk.write(16)
    assert desk.read() == 16
    redis_of_the_run.kill()
    redis_of_the_run.start()
    (redis_of_the_run.folder / "dump.rdb").unlink()
    assert redis_of_the_run.client().dbsize() >= 3
    cache.shared.link.retry_now()  # type: ignore[union-attr]
    assert desk.read() == 16
    eventually(lambda: desk.read() == desk.read() == 16 and served(desk))


def served(desk: Desk) -> bool:
    before = desk.loads
    return desk.read() is not None and desk.loads == before


def test_without_redis_everything_stays_right_and_it_comes_back_by_itself(desk: Desk, redis_of_the_run: RedisServer) -> None:
    desk.read()
    redis_of_the_run.kill()
    for minutes in (16, 17):
        desk.write(minutes)
        assert desk.read() == minutes
    assert served(desk), "the machine's own level serves meanwhile"
    redis_of_the_run.start()
    before = cache.statistics.snapshot()["test.wait"]["redis_hits"]

    def through_redis() -> bool:
        memory.clear()
        desk.read()
        return cache.statistics.snapshot()["test.wait"]["redis_hits"] > before

    eventually(through_redis)
    desk.write(18)
    assert desk.read() == 18


def test_a_stalled_redis_costs_little_and_what_it_missed_is_stale(desk: Desk, redis_of_the_run: RedisServer) -> None:
    level = cache.shared
    assert isinstance(level, SharedLevel)
    level.link._client.connection_pool.disconnect()  # type: ignore[union-attr]
    level.link._client.connection_pool.connection_kwargs.update(socket_timeout=0.05, socket_connect_timeout=0.05)  # type: ignore[union-attr]
    desk.read()
    redis_of_the_run.stall()
    try:
        desk.write(16)
        desk.write(17)
        started = time.monotonic()
        assert [desk.read() for _ in range(20)] == [17] * 20
        assert time.monotonic() - started < 5  # each try costs 50 ms, and there is one try a second
    finally:
        redis_of_the_run.resume()
    eventually(lambda: time.monotonic() > level.link._retry_at + RETRY_SECONDS)
    assert desk.read() == 17


def test_without_a_lease_redis_is_not_believed(desk: Desk, redis_of_the_run: RedisServer) -> None:
    """Nobody listens: a change in psql would go unheard."""
    _, read = elsewhere(redis_of_the_run, desk)
    desk.read()
    listener.stop()
    eventually(lambda: redis_of_the_run.client().get(cache.shared.secrecy.name("lease")) is None)  # type: ignore[union-attr]
    before = desk.loads
    assert (desk.read(), desk.read(), read()) == (15, 15, 15)
    assert desk.loads == before + 2


def test_a_command_that_was_held_up_doesn_t_prolong_the_lease(desk: Desk, redis_of_the_run: RedisServer) -> None:
    level = level_for(redis_of_the_run)
    with level.using() as client:
        level.membership._renew(client, time.monotonic() - 1.5)
    found = redis_of_the_run.client().get(level.secrecy.name("lease"))
    assert found is None or not found.startswith(level.membership.name.encode())


def test_who_begins_while_another_listens_keeps_what_is_there(desk: Desk, redis_of_the_run: RedisServer) -> None:
    desk.read()
    late = level_for(redis_of_the_run)
    started = time.monotonic()
    while not late.membership.is_member:
        assert time.monotonic() - started < PATIENCE
        late.membership.beat(time.monotonic())
        time.sleep(0.05)
    assert time.monotonic() - started > 0.25, "it has waited to see the other renew twice"
    assert served(desk)


def test_who_begins_alone_makes_all_stale(desk: Desk, redis_of_the_run: RedisServer) -> None:
    desk.read()
    listener.stop()
    client = redis_of_the_run.client()
    name = level_for(redis_of_the_run).secrecy.name
    eventually(lambda: client.get(name("lease")) is None)
    before = client.get(name("g", "*"))
    listener.start()
    eventually(lambda: client.get(name("lease")) is not None)
    assert client.get(name("g", "*")) != before
    desk.read()
    assert desk.loads == 2


def test_a_notice_is_told_once_and_never_lost(redis_of_the_run: RedisServer, with_redis: SharedLevel) -> None:
    client, name = redis_of_the_run.client(), with_redis.secrecy.name

    def generation() -> bytes | None:
        return client.get(name("g", "a"))  # type: ignore[return-value]

    assert with_redis.flush("mark", "mark\na", ["a"])
    first = generation()
    assert first
    assert level_for(redis_of_the_run).flush("mark", "mark\na", ["a"])
    assert generation() == first, "another listener need not repeat it"
    assert with_redis.flush("mark", "mark\na\nb", ["a"])
    assert generation() != first, "a second notice of the same transaction is another notice"
    unit = Unit()
    unit.touched = ("a",)
    with_redis.bump(unit)
    told = generation()
    with_redis.flush(unit.mark, f"{unit.mark}\na", ["a"])
    assert generation() == told, "the writer has told it"


def test_a_machine_tells_redis_of_a_notice_once(redis_of_the_run: RedisServer, with_redis: SharedLevel, tmp_path: Path) -> None:
    """All its processes hear it; where the writer has told it, none of them has to."""
    client = redis_of_the_run.client()
    path = tmp_path / "generations"
    processes = [Ears(Memory(1_000_000), Generations(path), level_for(redis_of_the_run)) for _ in range(3)]

    def tellings(payload: str) -> int:
        before = client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]
        for one in processes:
            one.hear(payload)
        return int(client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"]) - before

    for one in processes:
        assert one.shared and one.shared.flush("first", "first\na", ["a"])  # makes the connection, which asks which Redis this is
    unit = Unit()
    unit.touched = ("a",)
    Cache(LocalLevel(Memory(1), Generations(path), object), with_redis).committed(unit)
    assert unit.delivered and tellings(f"{unit.mark}\na") == 0
    assert tellings("psql\na") == 1
    assert tellings("psql\nb") == 1, "a second notice of the same transaction is another notice"
    other = Unit()
    other.touched = ("a",)
    Cache(LocalLevel(Memory(1), Generations(path), object), None).committed(other)
    assert tellings(f"{other.mark}\na") == 1, "the writer could not tell it"
    processes[0].shared.link._retry_at = time.monotonic() + 60  # type: ignore[union-attr]
    assert tellings("lost\na") == 1, "who could not tell it leaves it to the next"


def test_the_generation_of_everything_has_no_end(redis_of_the_run: RedisServer, with_redis: SharedLevel) -> None:
    """Else all would be stale at one moment, every two hours."""
    client, name = redis_of_the_run.client(), with_redis.secrecy.name
    everything, one = name("g", "*"), name("g", "a")

    def ends() -> list[bool]:
        return [client.ttl(key) > 0 for key in (everything, one)]

    assert with_redis.flush("mark", "mark\na\n*", ["a", "*"])
    assert client.exists(everything, one) == 2 and ends() == [False, True]
    client.delete(everything, one)
    assert with_redis._ensured(client, (everything, one)) == [client.get(everything), client.get(one)]
    assert client.exists(everything, one) == 2 and ends() == [False, True]


def test_what_can_t_be_told_now_is_told_before_the_lease_is_renewed(desk: Desk, redis_of_the_run: RedisServer) -> None:
    level = level_for(redis_of_the_run)
    level.link._retry_at = time.monotonic() + 60
    level.membership.tell("mark", "mark\nz", ["z"])
    level.membership.is_member = True
    level.membership.beat(time.monotonic())
    client = redis_of_the_run.client()
    assert client.get(level.secrecy.name("g", "z")) is None
    level.link._retry_at = 0
    level.membership.beat(time.monotonic())
    assert client.get(level.secrecy.name("g", "z"))


def test_a_unit_counts_as_heard_when_all_of_its_notices_are_and_redis_was_told(
    redis_of_the_run: RedisServer, with_redis: SharedLevel, tmp_path: Path
) -> None:
    """Each statement that adds tags sends a notice of its own, and all come after the commit, one after the other."""
    level = level_for(redis_of_the_run)
    level.membership.is_member = True
    ears = Ears(Memory(1_000_000), Generations(tmp_path / "generations"), level)
    level.link._retry_at = time.monotonic() + 60
    asked_before = time.monotonic()
    ears.hear("mark\na")
    assert "mark" not in ears.heard
    ears.beat(asked_before)
    assert "mark" not in ears.heard, "what this heartbeat was told may have been cut in two"
    ears.hear("mark\nb")
    ears.beat(time.monotonic())
    assert "mark" in ears.heard and "mark" not in ears.told
    level.link.retry_now()
    ears.beat(time.monotonic())
    assert "mark" in ears.told
    ears.hear("other\na")
    ears.gap()
    ears.beat(time.monotonic())
    assert "other" not in ears.heard, "the rest of it may have been missed"


def test_another_process_s_loader_is_waited_for_but_its_death_blocks_nobody(
    desk: Desk, redis_of_the_run: RedisServer, with_redis: SharedLevel
) -> None:
    with_redis.memory.clear()

    def text() -> str:
        with clinic_scope(desk.clinic_id, reason="test"):
            return Key("test.wait").text()

    redis_of_the_run.client().set(with_redis.secrecy.name("l", text()), "a process that is gone", px=60_000)
    started = time.monotonic()
    assert desk.read() == 15
    assert 0.4 < time.monotonic() - started < 10
    assert cache.statistics.snapshot()["test.wait"]["waited"] >= 1


def test_other_code_and_other_installations_have_names_of_their_own() -> None:
    ours, same, other = (Secrecy(lambda place=place: place) for place in ("a", "a", "b"))
    assert ours.name("v", "x") == same.name("v", "x") != other.name("v", "x")
    same.code_version = "newer"  # type: ignore[misc]
    assert ours.name("v", "x") != same.name("v", "x")
    assert ours.name("g", "x") == same.name("g", "x"), "old and new code tell each other what is stale"
