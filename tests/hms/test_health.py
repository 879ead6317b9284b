"""Strangers may ask how HMS is as often as they like: it costs next to nothing."""

from typing import Any

import pytest
from django.test import Client

from hms import views


def test_a_good_answer_holds_for_a_second(client: Client, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(views, "KEPT", 1.0)
    monkeypatch.setattr(views, "_good_until", 0.0)
    monkeypatch.setattr(views.time, "monotonic", lambda: now[0])
    queries = []
    for seconds in (0, 0.9, 0.2, 0.5):
        now[0] += seconds
        answer = client.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        queries.append(answer["Server-Timing"].partition('desc="')[2].split()[0])
    assert queries == ["1", "0", "1", "0"]
