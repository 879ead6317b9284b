"""Who is let in, and what a server without the front answers."""

import json
from typing import Any

import pytest

from core.accounts.roles import Role
from core.events.catalogue import catalogue, channel, channels, event
from core.realtime.grants import may_read
from tests.factories.api_client import ApiClient
from tests.factories.api_keys import api_key
from tests.factories.world import Place


def frames(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200 and answer["Content-Type"] == "text/event-stream", answer.content
    return [json.loads(line[6:]) for line in answer.content.decode().split("\n") if line.startswith("data: ")]


def test_every_event_has_a_channel_that_the_matrix_knows(riverside: Place) -> None:
    actor = riverside.actor(Role.CLINIC_ADMIN)
    for one in catalogue().values():
        assert channels()[one.channel.name] == one.channel
        assert may_read(actor, one.channel)
    assert catalogue()["appointment.moved"].places == ("location", "from_location")


def test_a_channel_means_one_thing() -> None:
    assert channel("queue", read_by=("queue", "view")) is not None
    with pytest.raises(ValueError, match="another channel"):
        channel("queue", read_by=("patient", "view"))
    with pytest.raises(ValueError, match="no name"):
        event("appointment.booked", about="appointment", fields={}, words="")


def test_without_the_front_a_stream_ends_at_once(riverside: Place) -> None:
    client = ApiClient(riverside.users[Role.RECEPTIONIST], riverside.clinic)
    ready, bye = frames(client.get("events?channels=appointments"))
    assert (ready["type"], ready["channels"], bye) == ("ready", ["appointments"], {"type": "bye", "reason": "time"})
    assert [one["type"] for one in frames(client.get("events", Last_Event_ID=str(ready["id"])))] == ["ready", "bye"]
    assert [one["type"] for one in frames(client.get("events?last_event_id=99999999"))] == ["ready", "resync", "bye"]
    assert frames(client.get("/api/sse/queue-updates"))[0]["channels"] == ["queue"]


def test_a_key_needs_the_scope_of_its_channel(riverside: Place) -> None:
    patients = ApiClient(key=api_key(riverside, "live:view", "patient:view"))
    assert frames(patients.get("events"))[0]["channels"] == ["patients"]
    refused = patients.get("events?channels=patients,appointments")
    assert (refused.status_code, refused.json()["error"]["details"][0]["code"]) == (403, "scope_required")
    assert ApiClient(key=api_key(riverside, "patient:view")).get("events").status_code == 403


@pytest.mark.parametrize("query", ["", "channels=appointments,patients", "channels=appointments&channels=patients"])
def test_channels_are_named_in_any_way(riverside: Place, query: str) -> None:
    answer = ApiClient(riverside.users[Role.DOCTOR], riverside.clinic).get(f"events?{query}")
    assert set(frames(answer)[0]["channels"]) >= {"appointments", "patients"}


@pytest.mark.parametrize("query", ["channels=secrets", "channels=", "other=1", "last_event_id=1&last_event_id=2"])
def test_what_is_not_known_is_refused(riverside: Place, query: str) -> None:
    assert ApiClient(riverside.users[Role.DOCTOR], riverside.clinic).get(f"events?{query}").status_code == 400


def test_patients_have_no_stream(riverside: Place) -> None:
    assert ApiClient(riverside.users[Role.PATIENT], riverside.clinic).get("events").status_code == 403
