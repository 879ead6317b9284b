"""How many statements the requests of scheduling cost: the same for one row and for many, and never more than twelve
and the look-up of the clinic's restricted records, which is kept between requests where anything is."""

from datetime import timedelta
from typing import Any

import pytest

from appointments.models import Holiday, ScheduleException, Service
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.api_client import ApiClient
from tests.factories.visits import at, book, make_patient
from tests.factories.world import Place

MOST = 12 + 1
ANNOUNCED = {"book", "move"}  # the two dearest write down an event besides


def statements(response: Any) -> int:
    """What the server itself says it took."""
    assert response.status_code < 300, response.json()
    return int(response["Server-Timing"].split('desc="')[1].split()[0])


@pytest.mark.parametrize("path", ["appointments", "services", "schedules", "schedule-exceptions", "holidays"])
def test_a_list_costs_the_same_for_one_row_and_for_many(riverside: Place, path: str) -> None:
    boss = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    fill(riverside, 1)
    few = statements(boss.get(f"{path}?limit=1"))
    fill(riverside, 24)
    many = boss.get(f"{path}?limit=100")
    assert len(many.json()["data"]) >= 20
    assert statements(many) == few <= MOST


def fill(place: Place, count: int) -> None:
    start = at(place, 1, 8)
    with clinic_scope(place.clinic, reason="test"):
        done = Holiday.objects.count()
        for number in range(done, done + count):
            book(place, start + timedelta(minutes=20 * number))
            Service.objects.create(name=f"Service {number}", duration_minutes=20)
            day = start.date() + timedelta(days=100 + number)
            Holiday.objects.create(day=day, name="Closed", location=place.locations[number % 2])
            ScheduleException.objects.create(provider=place.providers[0], kind="off", first_day=day, last_day=day)


def test_slots_cost_the_same_for_any_number_of_days_and_providers(riverside: Place) -> None:
    desk = ApiClient(riverside.users[Role.RECEPTIONIST])
    day = at(riverside, 1, 9).date()
    service, provider = riverside.services[0].pk, riverside.providers[0].pk
    one = statements(desk.get(f"slots?service={service}&from={day}&to={day}"))
    assert statements(desk.get(f"slots?service={service}&from={day}")) == one <= MOST
    assert statements(desk.get(f"slots?service={service}&provider={provider}&location={riverside.locations[0].pk}")) <= MOST
    assert statements(desk.get(f"providers/{provider}/availability")) <= MOST


def test_what_a_visits_day_costs(riverside: Place) -> None:
    desk = ApiClient(riverside.users[Role.RECEPTIONIST])
    with clinic_scope(riverside.clinic, reason="test"):
        patient = make_patient().pk
    body = {
        "patient": str(patient),
        "service": str(riverside.services[0].pk),
        "provider": str(riverside.providers[0].pk),
        "start": at(riverside, 1, 9).isoformat(),
    }
    made = desk.post("appointments", body)
    costs = {"book": statements(made)}
    path = f"appointments/{made.json()['data']['id']}"
    costs["look"] = statements(desk.get(path))
    costs["move"] = statements(desk.post(f"{path}/reschedule", {"start": at(riverside, 1, 10).isoformat()}))
    for step in ("check-in", "undo", "no-show", "undo", "check-in", "start", "complete"):
        costs[step] = statements(desk.post(f"{path}/{step}"))
    costs["history"] = statements(desk.get(f"{path}/history"))
    assert {name: cost for name, cost in costs.items() if cost > MOST + (name in ANNOUNCED)} == {}
