"""Nobody's time is given twice, whoever asks at once: through the real server, with the database looked at afterwards."""

from collections.abc import Iterator

import pytest

from tests.factories.patience import UNHURRIED
from tests.factories.server import Server, serving
from tests.load import races

pytestmark = pytest.mark.thorough

RACES = 40  # every run; the full thousand is the slow one
OVERLAPS = """
SELECT count(*) FROM appointments_claim a JOIN appointments_claim b
    ON a.clinic_id = b.clinic_id AND a.resource_kind = b.resource_kind AND a.resource_id = b.resource_id AND a.id < b.id
WHERE a.starts_at < b.ends_at AND b.starts_at < a.ends_at
"""
HALF_CLAIMED = """
SELECT count(*) FROM (
    SELECT v.id FROM appointments_appointment v LEFT JOIN appointments_claim c ON c.appointment_id = v.id
    GROUP BY v.id HAVING count(DISTINCT c.resource_kind) <> 3 OR count(c.id) <> 3
) AS visits
"""


@pytest.fixture(scope="module")
def raced(worker_id: str) -> Iterator[Server]:
    with serving(f"races_{worker_id}", seed=races.seed, static=False, variables=UNHURRIED) as server:
        yield server


def check(server: Server, outcome: races.Outcome, count: int) -> None:
    print(outcome)  # noqa: T201 (shown with -s, and when it fails)
    assert outcome.winners == [1] * count
    assert outcome.statuses == {201: count, 409: count * (races.CONNECTIONS - 1)}
    assert outcome.without_alternatives == 0
    with server.connect() as connection:
        assert connection.execute(OVERLAPS).fetchone() == (0,)
        assert connection.execute(HALF_CLAIMED).fetchone() == (0,)


@pytest.mark.server
@pytest.mark.parametrize(("kind", "count"), [("slot", RACES), ("room", 20), ("patient", 20)])
def test_one_wins_and_the_others_are_offered_something_else(raced: Server, kind: str, count: int) -> None:
    check(raced, races.run(raced.url, raced.seeded, kind=kind, count=count), count)


@pytest.mark.server
@pytest.mark.slow
def test_a_thousand_races_for_a_slot(worker_id: str) -> None:
    lasting = UNHURRIED | {"JWT_EXPIRES_IN": "2h"}  # the run may outlast a token of fifteen minutes
    with serving(f"thousand_races_{worker_id}", seed=races.seed, static=False, variables=lasting) as server:
        check(server, races.run(server.url, server.seeded, count=1000), 1000)
