"""Which systems there are: of the environment, and of administrators; their secrets are in nobody's sight."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from core.accounts.actor import system_actor
from core.accounts.roles import Role
from core.checks import systems_are_well_formed
from core.errors import NotAllowed, ValidationFailed
from core.outbound.errors import AddressRefused, NotConfigured
from core.outbound.models import ExternalSystem
from core.outbound.registry import Malformed, from_environment, registry
from core.outbound.services import create_system, update_system
from tests.factories.endpoints import endpoints
from tests.factories.world import World

LAB = {"name": "lab", "kind": "lab", "endpoints": ["https://lab.example.org/api"]}


@pytest.fixture(autouse=True)
def anew() -> Iterator[None]:
    registry.forget()
    yield
    registry.forget()


def test_systems_of_the_environment_may_stand_anywhere() -> None:
    with endpoints(1) as (end,):
        said = f'{{"lab": {{"kind": "lab", "endpoints": ["{end.url}"], "authorization": "Bearer x", "answer_seconds": 0.5}}}}'
        with override_settings(HMS_EXTERNAL_SYSTEMS=said):
            assert registry.client("lab").request("GET", "/orders").ok
            assert registry.client("lab") is registry.client("lab")
            assert "Bearer" not in repr(registry.client("lab").system)
        assert end.taken[0].headers["Authorization"] == "Bearer x"
        (figures,) = registry.figures()
        assert (figures.system, figures.requests, figures.outcomes) == ("lab", 1, {"2xx": 1})


@pytest.mark.parametrize(
    "said",
    [
        "{", "[]", '{"lab": 1}', '{"lab": {}}', '{"lab": {"kind": "lab"}}', '{"lab": {"kind": "lab", "endpoints": []}}',
        '{"lab": {"kind": "x", "endpoints": ["https://a.example.org"]}}', '{"lab": {"kind": "lab", "endpoints": ["a"]}}',
        '{"lab": {"kind": "lab", "endpoints": ["https://a.example.org"], "secret": "x"}}',
        '{"lab": {"kind": "lab", "endpoints": ["https://a.example.org"], "attempts": 0}}',
        '{"lab": {"kind": "lab", "endpoints": ["https://a.example.org"], "attempts": true}}',
        '{"lab": {"kind": "lab", "endpoints": ["https://a.example.org"], "balance": "best"}}',
    ],
)  # fmt: skip
def test_what_the_environment_says_wrongly_is_found_at_the_start(said: str) -> None:
    with pytest.raises(Malformed):
        from_environment(said)
    with override_settings(HMS_EXTERNAL_SYSTEMS=said):
        assert [one.id for one in systems_are_well_formed()] == ["hms.E060"]


def test_the_other_settings_are_looked_at_too() -> None:
    with override_settings(HMS_OUTBOUND_ALLOW=["what ever"], HMS_WEBHOOK_ALLOW=["10.0.0.0/8"], HMS_EVENT_DAYS=3):
        assert [one.id for one in systems_are_well_formed()] == ["hms.E061", "hms.E062"]
    assert systems_are_well_formed() == []


def test_an_administrator_s_system_is_used_and_its_secret_is_encrypted(world: World) -> None:
    with endpoints(1) as (end,), override_settings(HMS_OUTBOUND_ALLOW=["127.0.0.1"]):
        data = {**LAB, "endpoints": [end.url], "authorization": "Bearer deep secret"}
        system = create_system(actor=system_actor(), data=data)
        registry.read_anew()
        assert registry.client("lab").request("GET").ok
        assert end.taken[0].headers["Authorization"] == "Bearer deep secret"
        with connection.cursor() as cursor:
            cursor.execute("SELECT authorization FROM core_externalsystem".replace("authorization", '"authorization"'))
            assert b"deep" not in bytes(cursor.fetchone()[0])
            cursor.execute("SELECT count(*) FROM core_externalsystem t WHERE t::text LIKE '%deep secret%'")
            assert cursor.fetchone() == (0,)
        update_system(actor=system_actor(), system_id=system.pk, changes={"is_active": False})
        registry.read_anew()
        with pytest.raises(NotConfigured):
            registry.client("lab")


def test_a_system_that_points_inside_is_not_called_whatever_was_saved(world: World) -> None:
    """A name passes the form; what it resolves to does not pass the connection."""
    create_system(actor=system_actor(), data={**LAB, "endpoints": ["https://localhost:9/"]})
    registry.read_anew()
    with pytest.raises(AddressRefused):
        registry.client("lab").request("GET")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoints", []), ("endpoints", ["http://lab.example.org/"]), ("endpoints", ["https://10.0.0.1/"]),
        ("endpoints", ["https://lab.example.org/?key=1"]), ("endpoints", ["https://a.example.org"] * 2),
        ("name", "No Name"), ("kind", "x"), ("balance", "x"), ("attempts", 9), ("answer_seconds", 0), ("health_path", "health"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(world: World, field: str, value: Any) -> None:
    with pytest.raises(ValidationFailed) as refused:
        create_system(actor=system_actor(), data={**LAB, field: value})
    assert {one.field for one in refused.value.details} == {field}


def test_clinics_set_up_no_systems(world: World) -> None:
    with pytest.raises(NotAllowed):
        create_system(actor=world.riverside.actor(Role.CLINIC_ADMIN), data=LAB)
    assert not ExternalSystem.objects.exists()


def test_the_command_asks_every_endpoint() -> None:
    with endpoints(2) as (well, dead):
        said = f'{{"lab": {{"kind": "lab", "endpoints": ["{well.url}", "{dead.url}"], "authorization": "Bearer x"}}}}'
        dead.kill()
        out = StringIO()
        with override_settings(HMS_EXTERNAL_SYSTEMS=said):
            with pytest.raises(CommandError, match="1 endpoints"):
                call_command("external_systems", "--check", stdout=out)
    assert f"127.0.0.1:{well.port}: answers" in out.getvalue() and "no connection" in out.getvalue()
    assert "Bearer" not in out.getvalue()
    assert settings.HMS_EXTERNAL_SYSTEMS == ""
