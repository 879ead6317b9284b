"""Runs locust against a running HMS and judges what it has measured."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings

from hms.simulation.home import Home, password
from hms.simulation.mix import SHARES

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
STOP_SECONDS = 30  # for a last answer


class NotLoaded(RuntimeError):
    """Nothing was measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Load:
    """`users` at once, `ramp_up` of them more each second, for `seconds`; `pause`: seconds that one looks at an answer."""

    users: int = 20
    ramp_up: float = 5.0
    seconds: int = 60
    endpoints: tuple[str, ...] = tuple(SHARES)
    pause: tuple[float, float] = (0.5, 2.0)
    seed: int = 1
    html: str = ""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What has to hold of all requests together. `failures` in percent; p95 and p99 in milliseconds; `rate` in requests a second.
    None: whatever it is."""

    failures: float | None = 1.0
    p95: float | None = None
    p99: float | None = None
    rate: float | None = None

    def unmet(self, measured: "Measured") -> list[str]:
        """A sentence for each that does not hold."""
        found = []
        if self.failures is not None and measured.failures > self.failures:
            found.append(f"{measured.failures:.2f} % failed, at most {self.failures:g} % may")
        for name, limit in (("p95", self.p95), ("p99", self.p99)):
            if limit is not None and measured.total[name] > limit:
                found.append(f"{name} is {measured.total[name]:.0f} ms, at most {limit:g} ms may be")
        if self.rate is not None and measured.rate < self.rate:
            found.append(f"{measured.rate:.1f} requests a second, at least {self.rate:g} have to be")
        return found


@dataclass
class Measured:
    """`total` and `kinds`: count, failures, p50, p95, p99 (ms). `rate`: requests a second; `failures` in percent."""

    total: dict[str, float]
    rate: float
    failures: float
    kinds: dict[str, dict[str, float]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"rate": self.rate, "failures_percent": self.failures, "total": self.total, "kinds": self.kinds}

    def as_text(self) -> list[str]:
        lines = [f"{'milliseconds':<16}{'count':>8}{'failed':>8}{'p50':>8}{'p95':>8}{'p99':>8}"]
        for kind, one in (*self.kinds.items(), ("all together", self.total)):
            figures = "".join(f"{one[name]:>8.0f}" for name in ("count", "failures", "p50", "p95", "p99"))
            lines.append(f"{kind:<16}{figures}")
        return [*lines, f"{self.rate:.1f} requests a second, {self.failures:.2f} % failed"]


def run_locust(home: Home, load: Load) -> Measured:
    """Raises NotLoaded when locust is missing, or nothing was asked."""
    if find_spec("locust") is None:
        raise NotLoaded("locust is missing: pip install -r requirements-dev.txt brings it.")
    wanted = {
        "clinics": home.clinics, "password": password(), "endpoints": load.endpoints, "pause": load.pause, "seed": load.seed,
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hms-loadtest-") as folder:
        figures = Path(folder, "figures")
        command = [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--host", f"http://{home.host}",
            "--users", str(load.users), "--spawn-rate", str(load.ramp_up), "--run-time", f"{load.seconds}s",
            "--stop-timeout", str(STOP_SECONDS), "--exit-code-on-error", "0", "--only-summary", "--loglevel", "WARNING",
            "--json-file", str(figures), *(["--html", str(Path(load.html).absolute())] if load.html else []),
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False,
            env=os.environ | {"HMS_LOADTEST": json.dumps(wanted), "PYTHONPATH": str(settings.BASE_DIR)},
        )  # fmt: skip
        written = figures.with_suffix(".json")
        if done.returncode or not written.exists():
            raise NotLoaded(f"locust ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return measured_of(json.loads(written.read_text()), done.stderr)


def measured_of(entries: list[dict[str, Any]], said: str = "") -> Measured:
    """Of locust's own figures by kind. Raises NotLoaded when there are none."""
    count, failures = (sum(int(one[name]) for one in entries) for name in ("num_requests", "num_failures"))
    if not count:
        raise NotLoaded(f"Nobody has asked for anything: is it a demo, with this HMS_DEMO_PASSWORD?\n{said[-2000:]}")
    began, ended = min(one["start_time"] for one in entries), max(one["last_request_timestamp"] or 0 for one in entries)
    kinds = {name: _together([one for one in entries if one["name"] == name]) for name in sorted({one["name"] for one in entries})}
    return Measured(_together(entries), count / max(ended - began, 0.001), failures * 100 / count, kinds)


def _times(entry: Mapping[str, Any]) -> Counter[float]:
    """Milliseconds -> how many answers took so long."""
    return Counter({float(milliseconds): number for milliseconds, number in entry["response_times"].items()})


def _together(entries: list[dict[str, Any]]) -> dict[str, float]:
    """Locust keeps a kind's methods apart; here they are one."""
    times: Counter[float] = sum((_times(one) for one in entries), Counter())
    failures = sum(int(one["num_failures"]) for one in entries)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {"count": times.total(), "failures": failures} | {name: _percentile(times, share) for name, share in shares.items()}


def _percentile(times: Counter[float], share: float) -> float:
    seen, wanted = 0, times.total() * share
    for milliseconds in sorted(times):
        seen += times[milliseconds]
        if seen >= wanted:
            return milliseconds
    return 0.0
