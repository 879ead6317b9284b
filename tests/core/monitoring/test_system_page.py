"""The system page and the report: charts of what was sampled, for operators alone."""

import json
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from pypdf import PdfReader

from core.accounts.roles import Role
from core.faults.models import Fault
from core.monitoring.charts import Chart, Line, ceiling, short
from core.monitoring.figures import PERIODS, charts, forecast
from core.monitoring.keeping import Keeper
from core.monitoring.models import Alert, AlertRule
from core.monitoring.series import Sampled, Value, within
from core.security.models import AddressBlock
from tests.factories.world import World

NOW = datetime.now(UTC).replace(second=30, microsecond=0)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shows its own last hour, and this file may be read long before its tests are run."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC).replace(second=30, microsecond=0))


def sampled(minutes: int, *, back: timedelta = timedelta(), **values: float) -> None:
    """The same figures in each of so many minutes, the last of which is over."""
    keeper = Keeper()
    first = NOW.replace(second=0) - back - minutes * MINUTE
    for number in range(minutes):
        keeper.add(Sampled(first + number * MINUTE, {name: Value.of(value) for name, value in values.items()}))
    keeper.write()


def lines(found: list[Chart], title: str) -> dict[str, list[float | None]]:
    (chart,) = (one for one in found if one.title == title)
    return {line.label: list(line.values) for line in chart.lines}


def test_the_last_hour_minute_by_minute() -> None:
    sampled(10, requests=30, errors=3, cpu_percent=40, **{within(0.1): 30.0})
    found = charts(PERIODS["1h"], NOW)
    requests = lines(found, "Requests")
    assert requests["all"] == [None] * 50 + [30] * 10
    assert requests["failed"][-1] == 3
    times = lines(found, "Time of requests")
    assert times["median"][-1] == pytest.approx(75)
    assert lines(found, "Processor")["average"][-1] == 40
    assert lines(found, "Jobs")["waiting"] == [None] * 60


def test_longer_periods_are_rates_too() -> None:
    sampled(60, back=timedelta(minutes=NOW.minute % 15), requests=30)
    day = [value for value in lines(charts(PERIODS["24h"], NOW), "Requests")["all"] if value is not None]
    assert day == [30] * 4
    assert len(charts(PERIODS["30d"], NOW)[0].moments) == 120


def test_a_forecast_is_a_straight_line_and_says_what_through() -> None:
    assert forecast(NOW) is None
    sampled(1, database_bytes=1000)
    assert forecast(NOW) is None, "less than a day"
    for days in (1, 2, 3):
        sampled(1, back=timedelta(days=days) / 3 * 2, database_bytes=1000 - 200 * days)
    found = forecast(NOW)
    assert found is not None
    assert (round(found.days), round(found.a_day), round(found.now)) == (2, 300, 1000)
    assert found.in_30_days == pytest.approx(10_000, rel=0.02)


def test_a_chart_is_drawn_with_its_gaps() -> None:
    moments = [NOW + number * MINUTE for number in range(6)]
    svg = Chart("Load <b>", "%", moments, [Line("all", [1, 2, None, 4, None, 3])], most=10).svg
    tree = ElementTree.fromstring(svg)  # noqa: S314  (our own)
    assert len(tree.findall("polyline")) == 1 and len(tree.findall("circle")) == 2
    assert tree.attrib["aria-label"] == "Load <b>. all: now 3 %, highest 4 %."
    assert "style" not in svg
    empty = Chart("Nothing", "", moments, [Line("all", [None] * 6)])
    assert empty.is_empty and ElementTree.fromstring(empty.svg).findall("polyline") == []  # noqa: S314


def test_scales_end_at_round_numbers() -> None:
    assert [ceiling(value) for value in (0, 0.3, 1, 7, 18, 23, 51, 1234)] == [1, 0.5, 1, 10, 20, 25, 100, 2000]
    assert [short(value) for value in (0, 0.125, 12.34, 950, 12_300, 4_560_000, 2.5e9)] == [
        *("0", "0.125", "12.3", "950", "12.3 k", "4.56 M", "2.5 G")
    ]


def test_operators_see_the_page(open_system: Any, world: World) -> None:
    sampled(5, requests=12, cpu_percent=40)
    rule = AlertRule.objects.get(name="cpu")
    Alert.objects.create(rule=rule, server="web-1:8000", severity="warning", value=83.4, worst=91)
    AddressBlock.objects.create(network="203.0.113.7", until=NOW + timedelta(hours=2), reason="Guessing passwords")
    for role in (Role.SUPER_ADMIN, Role.SYSTEM_ADMIN):
        answer = open_system(world.platform[role])
        text = answer.content.decode()
        assert answer.status_code == 200
        for words in ("83.4 %, web-1:8000", "203.0.113.7", "A forecast needs samples of a day", "12 a minute"):
            assert words in text, words
        assert answer.context["overview"].tables[0][0] in text
        assert text.count('<svg class="hms-chart"') == 2
    assert open_system(world.platform[Role.SUPER_ADMIN], "30d").context["overview"].period.name == "30d"
    assert open_system(world.platform[Role.SUPER_ADMIN], "nonsense").context["overview"].period.name == "1h"


def test_nobody_else_does(open_system: Any, world: World) -> None:
    """A doctor is sent away at the door, like from every page of the administration."""
    others = [world.platform[Role.SUPPORT], world.riverside.users[Role.CLINIC_ADMIN], world.riverside.users[Role.DOCTOR]]
    assert [open_system(user).status_code for user in others] == [403, 403, 302]


def test_the_report_says_the_same(tmp_path: Path) -> None:
    sampled(60, back=timedelta(minutes=NOW.minute % 15), requests=30)
    Alert.objects.create(rule=AlertRule.objects.get(name="errors"), server="web-1:8000", severity="critical", value=7, worst=9)
    written = StringIO()
    call_command("system_report", "--format", "json", stdout=written)
    found = json.loads(written.getvalue())
    assert found["period"] == "24h"
    assert [(one["rule"], one["value"], one["worst"]) for one in found["alerts"]] == [("errors", "7 %", "9 %")]
    assert {one["check"] for one in found["health"]} >= {"database", "disk", "memory"}
    requests = next(one for one in found["figures"] if one["name"] == "Requests")
    assert requests["lines"][0] == {"line": "all", "now": 30, "mean": 30, "highest": 30}
    text = StringIO()
    call_command("system_report", stdout=text)
    assert "critical  errors (web-1:8000): 7 %" in text.getvalue()
    assert "Requests, all: 30.0  30.0  30.0 a minute" in text.getvalue()
    with pytest.raises(CommandError, match="--output"):
        call_command("system_report", "--format", "pdf")
    call_command("system_report", "--format", "pdf", "--output", str(tmp_path / "report.pdf"))
    printed = " ".join(page.extract_text() for page in PdfReader(tmp_path / "report.pdf").pages)
    assert "critical errors (web-1:8000): 7 %" in " ".join(printed.split())


def test_open_faults_stand_on_the_page_and_in_the_report(open_system: Any, world: World) -> None:
    seen = {"first_seen": NOW - timedelta(days=2), "last_seen": NOW, "kind": "web", "in_clinics": [world.riverside.clinic.pk]}
    Fault.objects.create(fingerprint="f" * 16, error="ZeroDivisionError", place="core.pages.home.show", count=41, **seen)
    Fault.objects.create(fingerprint="e" * 16, error="KeyError", place="core.pages.gone.show", state=Fault.State.RESOLVED, **seen)
    text = open_system(world.platform[Role.SUPER_ADMIN]).content.decode()
    assert "ZeroDivisionError" in text and "core.pages.home.show" in text and "core.pages.gone.show" not in text
    written = StringIO()
    call_command("system_report", "--format", "json", stdout=written)
    (said,) = json.loads(written.getvalue())["faults"]
    assert (said["error"], said["times"], said["clinics"]) == ("ZeroDivisionError", 41, 1)


@pytest.fixture
def open_system(sign_in: Any) -> Any:
    """open_system(user, period) -> the answer of the page."""

    def opened(user: Any, period: str = "1h") -> Any:
        return sign_in(user).get(reverse("admin:system"), {"period": period})

    return opened
