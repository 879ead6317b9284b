"""Which rules hold, and for how long they have to."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from core.health.checks import Finding, Status, Weight
from core.monitoring.judging import Condition, Judge
from core.monitoring.metrics import DEFAULTS, Rule
from core.monitoring.series import Sampled, Value, within

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
RULES = {rule.name: rule for rule in DEFAULTS}


@dataclass
class Bench:
    """A judge whose clock stands until it is moved."""

    now: float = 0.0
    judge: Judge = field(init=False)

    def __post_init__(self) -> None:
        self.judge = Judge("web-1", lambda: self.now)

    def about(self, name: str, status: Status, *, rules: tuple[Rule, ...] = DEFAULTS) -> dict[str, bool | None]:
        found = Finding(name, Weight.NEEDED, status, "a note", 0.1, {})
        return {one.rule.name: one.holds for one in self.judge.conditions(rules, [found], [], NOON) if one.subject == name}


def test_a_check_has_to_be_unwell_for_a_while() -> None:
    bench = Bench()
    assert bench.about("broker", Status.UNHEALTHY) == {"unhealthy": None, "degraded": False}
    bench.now = 29
    assert bench.about("broker", Status.UNHEALTHY)["unhealthy"] is None
    bench.now = 30
    assert bench.about("broker", Status.UNHEALTHY)["unhealthy"] is True
    assert bench.about("broker", Status.UNKNOWN)["unhealthy"] is None
    assert bench.about("broker", Status.HEALTHY) == {"unhealthy": False, "degraded": False}
    bench.now = 31
    assert bench.about("broker", Status.UNHEALTHY)["unhealthy"] is None, "it counts from anew"


def test_a_rule_that_names_a_check_takes_the_place_of_the_others() -> None:
    bench = Bench()
    assert bench.about("database", Status.UNHEALTHY) == {"database-away": None}
    assert bench.about("backup", Status.DEGRADED) == {"backup-age": None}
    assert bench.about("memory", Status.UNHEALTHY) == {}, "switched off, and in their place"


def test_what_stands_in_the_database_is_nobodys_server() -> None:
    findings = [Finding(name, Weight.NEEDED, Status.HEALTHY, "", 0.1, {}) for name in ("workers", "broker")]
    found = Bench().judge.conditions(DEFAULTS, findings, [], NOON)
    assert {one.subject: one.server for one in found if one.subject} == {"workers": "", "broker": "web-1"}


@pytest.mark.parametrize(
    ("name", "minute", "holds"),
    [
        ("cpu", {"cpu_percent": 80.0}, True),
        ("cpu", {"cpu_percent": 79.9}, False),
        ("memory", {"memory_percent": 85.0}, True),
        ("disk", {"disk_percent": 90.0}, True),
        ("errors", {"requests": 100.0, "errors": 5.0}, True),
        ("errors", {"requests": 100.0, "errors": 4.0}, False),
        ("errors", {"requests": 3.0, "errors": 3.0}, False),
        ("slow-requests", {"requests": 100.0, within(0.1): 90.0, within(2.5): 10.0}, False),
        ("slow-requests", {"requests": 100.0, within(0.1): 80.0, within(2.5): 20.0}, True),
        ("dead-jobs", {"jobs_dead": 1.0}, True),
        ("dead-jobs", {}, None),
        ("dead-jobs", {"jobs_dead": 0.0}, False),
    ],
)
def test_the_rules_to_begin_with(name: str, minute: dict[str, float], holds: bool | None) -> None:
    count = max(1, RULES[name].seconds // 60)
    seen = [Sampled(NOON + timedelta(minutes=n), {key: Value.of(value) for key, value in minute.items()}) for n in range(count)]
    found = one_condition(RULES[name], seen, NOON + timedelta(minutes=count))
    assert found.holds is holds
    assert found.server == ("" if name == "dead-jobs" else "web-1")
    if count > 1:
        assert one_condition(RULES[name], seen[1:], NOON + timedelta(minutes=count)).holds is None, "too short to say"
    assert Bench().judge.conditions([replace(RULES[name], is_active=False)], [], seen, NOON) == []


def one_condition(rule: Rule, seen: list[Sampled], now: datetime) -> Condition:
    (found,) = Bench().judge.conditions([rule], [], seen, now)
    return found
