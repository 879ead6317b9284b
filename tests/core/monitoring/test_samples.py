"""What is kept of each minute: added up over servers and time, thinned out, read from what requests have counted."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from core.health.checks import checks, look
from core.monitoring.keeping import Keeper, quarter_of, samples
from core.monitoring.reading import Reader, minute_before
from core.monitoring.series import BEYOND, QUARTER, SERIES, Sampled, Value, added, newest, quantile, within

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def minutes(*values: dict[str, float], since: datetime = NOON) -> list[Sampled]:
    return [
        Sampled(since + timedelta(minutes=number), {name: Value.of(value) for name, value in one.items()})
        for number, one in enumerate(values)
    ]


def written(*sampled: Sampled) -> None:
    keeper = Keeper()
    for one in sampled:
        keeper.add(one)
    keeper.write()
    assert not keeper.waiting


def test_two_servers_add_up() -> None:
    written(*minutes({"requests": 30, "cpu_percent": 20}))
    written(*minutes({"requests": 50, "cpu_percent": 90}))
    found = samples(["requests", "cpu_percent"], NOON)
    assert found["requests"] == {NOON: Value(2, 80, 30, 50)}
    assert found["cpu_percent"][NOON].mean == 55


def test_quarters_are_made_of_minutes_also_of_late_ones() -> None:
    written(*minutes(*[{"requests": 10.0}] * 20))
    written(*minutes({"requests": 7}, since=NOON + timedelta(minutes=3)))
    found = samples(["requests"], NOON, resolution=QUARTER)["requests"]
    assert {moment: value.total for moment, value in found.items()} == {NOON: 157, NOON + timedelta(minutes=15): 50}
    assert (found[NOON].low, found[NOON].high) == (7, 10)


def test_what_is_old_goes() -> None:
    now = timezone.now()
    old = [quarter_of(now) - timedelta(days=days) for days in (1, 3, 40)]
    written(*(Sampled(moment, {"requests": Value.of(1)}) for moment in old))
    hour = quarter_of(now).replace(minute=0)
    written(Sampled(hour, {"requests": Value.of(1)}))
    assert set(samples(["requests"], old[2])["requests"]) == {old[0], hour}
    assert set(samples(["requests"], old[2], resolution=QUARTER)["requests"]) == {old[0], old[1], quarter_of(hour)}


def test_what_could_not_be_written_waits() -> None:
    keeper = Keeper()
    keeper.add(minutes({"requests": 1})[0])
    keeper.add(Sampled(NOON, {"x" * 50: Value.of(1)}))
    with pytest.raises(DatabaseError), transaction.atomic():
        keeper.write()
    assert len(keeper.waiting) == 2
    assert samples(["requests"], NOON)["requests"] == {}
    keeper.waiting.pop()
    keeper.write()
    assert samples(["requests"], NOON)["requests"] == {NOON: Value.of(1)}


def test_a_quantile_is_interpolated_and_adds_up_over_servers() -> None:
    one = {within(0.1): Value.of(80), within(0.25): Value.of(20)}
    other = {within(1): Value.of(100)}
    assert quantile(one, 0.5) == pytest.approx(0.05 + 0.05 * 50 / 80)
    assert quantile(added([one, other]), 0.95) == pytest.approx(0.5 + 0.5 * 90 / 100)
    assert quantile({BEYOND: Value.of(3)}, 0.95) == 10
    assert quantile({}, 0.95) is None


def test_a_gap_says_nothing() -> None:
    three = minutes({"requests": 1}, {"requests": 2}, {"requests": 3})
    now = NOON + timedelta(minutes=3, seconds=5)
    assert newest(three, 3, now) == [one.values for one in three]
    assert newest(three, 4, now) is None
    assert newest([three[0], three[2]], 2, now + timedelta(minutes=2)) is None


def test_requests_are_read_as_they_were_counted(client: Client) -> None:
    reader, now = Reader(), timezone.now()
    findings = look(checks())
    assert "requests" not in reader.minute(now, findings).values, "counting begins with the first reading"
    for _ in range(3):
        client.get("/health/live")
    client.get("/nowhere-at-all/")
    found = reader.minute(now + timedelta(minutes=1), findings)
    assert found.moment == minute_before(now) + timedelta(minutes=1)
    assert found.values["requests"].total == 4
    assert found.values["errors"].total == 0
    assert sum(value.total for name, value in found.values.items() if name.startswith("requests_within:")) == 4
    assert 0 <= found.values["cpu_percent"].mean <= 100
    assert found.values["memory_percent"].mean > 0
    assert found.values["database_bytes"].mean > 1_000_000
    assert {"jobs_waiting", "jobs_dead", "sessions", "disk_percent"} <= set(found.values) <= set(SERIES)
