"""Whatever HMS needs goes away and comes back while people ask: it is named, in time, by one alert that is resolved."""

from collections.abc import Iterator

import pytest

from tests.load.dependencies import TROUBLES, Stage, all_well, happens, staged

pytestmark = [pytest.mark.slow, pytest.mark.server]
IN_TIME = 8.0  # seconds that an answer of health may take: two of its longest limits, on a busy machine


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as found:
        yield found


@pytest.mark.parametrize(
    ("what", "how", "check", "ready", "trouble"), TROUBLES, ids=lambda one: str(one) if isinstance(one, str) else ""
)
def test_it_is_named_and_one_alert_is_raised_and_resolved(
    stage: Stage, what: str, how: str, check: str, ready: int, trouble: object
) -> None:
    all_well(stage)
    found = happens(stage, what, how, check, trouble)  # type: ignore[arg-type]
    print(found.row())  # noqa: T201  (shown with -s, and when it fails)
    assert (found.ready, found.live, found.alerts) == (ready, 200, 1)
    assert found.health_slowest < IN_TIME
    served = {status for status in found.asked.statuses if status not in (200, 503)}
    assert not served, "an answer, or a plain 503"
    if ready == 200:
        assert found.asked.statuses.keys() == {200}
