"""Which rules' conditions hold: from the findings of the health checks and the last minutes of this server. Asks nobody."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.health.checks import Finding, Status
from core.monitoring.metrics import HEALTH, METRICS, Rule
from core.monitoring.series import Sampled, added, newest

LEVELS = {Status.HEALTHY: 0.0, Status.DEGRADED: 1.0, Status.UNHEALTHY: 2.0}
# Of these every server finds the same, because it stands in the database.
SHARED_CHECKS = frozenset({"migrations", "workers", "clock", "backup"})

type Key = tuple[str, str, str]  # rule, subject, server


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule says of one subject now. `holds` is None where nothing can be said: then what was, stays."""

    rule: Rule
    subject: str
    server: str
    holds: bool | None
    value: float
    note: str = ""

    @property
    def key(self) -> Key:
        return self.rule.name, self.subject, self.server


@dataclass(slots=True)
class Judge:
    """Remembers since when each rule has been holding for each check. `clock` in seconds."""

    server: str
    clock: Callable[[], float] = time.monotonic
    _since: dict[Key, float] = field(default_factory=dict)

    def conditions(
        self, rules: Sequence[Rule], findings: Iterable[Finding], minutes: Sequence[Sampled], now: datetime
    ) -> list[Condition]:
        """Of all rules in use; `now` is aware."""
        found = list(self._of_checks([one for one in rules if one.metric == HEALTH], findings))
        for rule in rules:
            if rule.metric != HEALTH and rule.is_active:
                found.append(self._of_figures(rule, minutes, now))
        return found

    def _of_checks(self, rules: Sequence[Rule], findings: Iterable[Finding]) -> Iterator[Condition]:
        named = {rule.subject for rule in rules if rule.subject}
        for finding in findings:
            subject = finding.name if finding.name in named else ""
            for rule in rules:
                if rule.is_active and rule.subject == subject:
                    yield self._of_check(rule, finding)

    def _of_check(self, rule: Rule, finding: Finding) -> Condition:
        server = "" if finding.name in SHARED_CHECKS else self.server
        key = (rule.name, finding.name, server)
        level = LEVELS.get(finding.status)
        if level is None:  # can't be seen now
            return Condition(rule, finding.name, server, None, 0.0)
        holds: bool | None = False
        if rule.holds(level):
            since = self._since.setdefault(key, self.clock())
            holds = True if self.clock() - since >= rule.seconds else None
        else:
            self._since.pop(key, None)
        return Condition(rule, finding.name, server, holds, level, finding.note)

    def _of_figures(self, rule: Rule, minutes: Sequence[Sampled], now: datetime) -> Condition:
        metric = METRICS[rule.metric]
        server = "" if metric.shared else self.server
        seen = newest(minutes, max(1, round(rule.seconds / 60)), now)
        value = None if seen is None else metric.of(added(seen))
        if value is None:
            return Condition(rule, rule.subject, server, None, 0.0)
        return Condition(rule, rule.subject, server, rule.holds(value), value)
