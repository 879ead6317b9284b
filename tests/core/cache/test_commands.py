"""Commands, figures and the benchmark."""

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from core.accounts.roles import Role
from core.cache import warming
from core.cache.benchmark import measured
from core.cache.process import cache, figures
from core.cache.shared import SharedLevel
from tests.core.cache.test_store import Desk
from tests.factories.threads import apart
from tests.factories.world import World


@pytest.fixture
def desk(world: World, listening: None) -> Iterator[Desk]:
    yield Desk(world.riverside.clinic.pk)


def ran(command: str) -> str:
    output = StringIO()
    apart(lambda: call_command(command, stdout=output))
    return output.getvalue()


def test_clear_cache_makes_everything_stale(desk: Desk) -> None:
    desk.read()
    ran("clear_cache")
    desk.read()
    assert desk.loads == 2


def test_warm_cache_reads_the_declared_keys_of_every_clinic(
    world: World, with_redis: SharedLevel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "_hot", {})
    monkeypatch.setattr("core.management.commands.warm_cache.shared", with_redis)
    desk = Desk(world.riverside.clinic.pk)
    warming.warmed("waits")(desk.within)
    assert ran("warm_cache") == "waits: 2 clinics\n"
    assert desk.loads == 2


def test_warm_cache_without_redis_says_that_there_is_nothing_to_do(world: World) -> None:
    assert "nothing to warm" in ran("warm_cache")


def test_the_figures_are_the_sum_of_all_processes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.read()
    one = figures()[0]["test.wait"]["misses"]
    level = cache.shared
    if not isinstance(level, SharedLevel):
        return
    monkeypatch.setattr("core.cache.process.shared", level)
    for process in ("one", "two"):
        level.publish(process, json.dumps({"test.wait": {"misses": one}}))
    assert figures()[0]["test.wait"]["misses"] >= 2 * one
    assert figures()[1] >= 2


def test_the_administration_shows_them(world: World, sign_in: Any) -> None:
    client = sign_in(world.riverside.users[Role.CLINIC_ADMIN])
    cache.statistics.loaded("test.shown", 0.002, passed=False)
    cache.statistics.hit("test.shown", redis=False)
    text = client.get(reverse("admin:cache")).content.decode()
    row = text[text.index("test.shown") :].partition("</tr>")[0]
    assert "<td>50" in row
    assert "<td>2" in row
    assert sign_in(world.riverside.users[Role.DOCTOR]).get(reverse("admin:cache")).status_code != 200


def test_the_benchmark_measures_hits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.cache.benchmark.microseconds", lambda call: (call(), call()))
    assert apart(measured) == [{"hit in memory, without Redis": ("x" * 1000, "x" * 1000)}]
