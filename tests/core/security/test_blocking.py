"""Who is blocked, for how long, and who never is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.accounts.roles import Role
from core.errors import NotAllowed, ValidationFailed
from core.security import blocking
from core.security.blocking import Block, Blocked, block_network, block_on, charge, lift_block, note_sign_in
from core.security.models import AddressBlock
from core.tenancy.context import Scope, platform_scope, unit_of_work
from tests.conftest import PASSWORD
from tests.factories.world import Place, World

STRANGER = "203.0.113.7"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def charged(address: str, points: int, now: datetime) -> AddressBlock | None:
    with platform_scope(reason="test"):
        return charge(address, points, "pattern, sql.union", now)


def blocked(network: str, **changes: Any) -> AddressBlock:
    given = {"until": timezone.now() + timedelta(hours=1), "reason": "test", **changes}
    with unit_of_work(Scope(reason="test")):
        return block_network(actor=None, network=network, **given)


# --- Points -----------------------------------------------------------------------------------------------------------
def test_points_block_for_longer_each_time(world: World) -> None:
    assert charged(STRANGER, 60, NOON) is None
    lengths, now = [], NOON
    for _ in range(6):
        block = charged(STRANGER, blocking.LIMIT, now)
        assert block is not None and block.automatic and not block.strangers_only
        lengths.append((block.until - now) / timedelta(minutes=1))
        now = block.until + timedelta(minutes=1)
    assert lengths == [10, 40, 160, 640, 1440, 1440]
    assert str(block) == "203.0.113.7/32"


def test_after_a_quiet_week_a_block_is_short_again(world: World) -> None:
    charged(STRANGER, 100, NOON)
    charged(STRANGER, 100, NOON + timedelta(hours=1))
    again = charged(STRANGER, 100, NOON + timedelta(days=9))
    assert again is not None
    assert again.until - again.made_at == timedelta(minutes=10)


def test_points_halve_every_ten_minutes(world: World) -> None:
    charged(STRANGER, 90, NOON)
    assert charged(STRANGER, 50, NOON + timedelta(minutes=10)) is None  # 45 + 50
    assert charged(STRANGER, 6, NOON + timedelta(minutes=10)) is not None  # 101


def test_ipv6_is_charged_and_blocked_by_its_network(world: World) -> None:
    charged("2001:db8:1:2::1", 60, NOON)
    block = charged("2001:db8:1:2:ffff::9", 60, NOON)
    assert block is not None
    assert block.network == "2001:db8:1:2::/64"


def test_where_people_sign_in_far_more_is_needed_and_they_go_on(world: World) -> None:
    with platform_scope(reason="test"):
        note_sign_in(STRANGER, NOON - timedelta(days=20))
    for _ in range(9):
        assert charged(STRANGER, 100, NOON) is None
    block = charged(STRANGER, 100, NOON)
    assert block is not None and block.strangers_only
    with platform_scope(reason="test"):
        note_sign_in(STRANGER, NOON + timedelta(days=1))
    assert charged(STRANGER, 100, NOON + timedelta(days=40)) is not None, "long after the last sign-in it is as any other"


# --- The look ------------------------------------------------------------------------------------------------------------
def test_the_narrowest_facts_of_many_blocks() -> None:
    end = timezone.now().timestamp() + 60
    known = Blocked(
        [
            Block("203.0.113.0/24", end, True),
            Block("203.0.113.7/32", end, False),
            Block("198.51.100.0/24", end - 3600, False),
            Block("2001:db8:1:2::/64", end, False),
        ]
    )
    assert known.on("203.0.113.7") == Block("203.0.113.7/32", end, False)
    assert known.on("203.0.113.8") == Block("203.0.113.0/24", end, True)
    assert known.on("2001:db8:1:2:3::4") is not None
    assert [known.on(one) for one in ("198.51.100.1", "203.0.114.1", "2001:db8:1:3::1", "", "unix", "::ffff:9.9.9.9")] == [None] * 6
    assert known.on("::ffff:203.0.113.7") is not None


def test_a_blocked_address_is_told_so_in_the_callers_shape(client: Client, world: World) -> None:
    blocked("203.0.113.0/24")
    answer = client.get("/api/v2/patients", REMOTE_ADDR=STRANGER)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "AUTHORIZATION_ERROR"
    assert answer.json()["error"]["request_id"] == answer["X-Request-ID"]
    page = client.get("/sign-in/", REMOTE_ADDR=STRANGER)
    assert page.status_code == 403
    assert "blocked for some time" in page.text
    assert client.get("/sign-in/", REMOTE_ADDR="203.0.114.7").status_code == 200


def test_a_strangers_block_lets_those_on_who_are_signed_in(client: Client, sign_in: Any, api: Any, riverside: Place) -> None:
    blocked(STRANGER, strangers_only=True)
    user = riverside.users[Role.RECEPTIONIST]
    assert sign_in(user).get("/", REMOTE_ADDR=STRANGER).status_code == 200
    assert client.get("/api/v2/auth/me", REMOTE_ADDR=STRANGER, headers=api(user).headers).status_code == 200
    client.cookies["hms_session"] = "made-up"
    for answer in (
        client.get("/sign-in/", REMOTE_ADDR=STRANGER),
        Client().post("/sign-in/", {"email": user.email, "password": PASSWORD}, REMOTE_ADDR=STRANGER),
        Client().get("/api/v2/auth/me", REMOTE_ADDR=STRANGER),
    ):
        assert answer.status_code == 403
    forged = Client().get("/api/v2/auth/me", REMOTE_ADDR=STRANGER, headers={"Authorization": "Bearer forged"})
    assert forged.status_code == 401


def test_a_full_block_refuses_sessions_too(sign_in: Any, riverside: Place) -> None:
    blocked(STRANGER)
    assert sign_in(riverside.users[Role.RECEPTIONIST]).get("/", REMOTE_ADDR=STRANGER).status_code == 403


def test_what_may_never_be_blocked_is_not_even_looked_up(
    client: Client, world: World, settings: Any, django_assert_num_queries: Any
) -> None:
    blocked("198.51.100.0/24")
    settings.HMS_NEVER_BLOCK = ["198.51.100.0/28"]
    with django_assert_num_queries(0):
        assert block_on("198.51.100.3", "") is None
        assert block_on("127.0.0.1", "") is block_on("::1", "") is block_on("", "") is None
        settings.HMS_TRUSTED_PROXIES = 1
        assert block_on("198.51.100.99", "198.51.100.99") is None, "our own proxy"
    assert block_on("198.51.100.99", "127.0.0.1") is not None


def test_the_list_is_read_again_once_a_second_at_most(
    world: World, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    now = [1000.0]
    monkeypatch.setattr(blocking, "REST", 1.0)
    monkeypatch.setattr(blocking.time, "monotonic", lambda: now[0])
    watched = blocking.Watched()
    assert watched.now().on(STRANGER) is None
    now[0] += 1
    blocked(STRANGER)
    assert watched.now().on(STRANGER) is not None, "after a quiet time a change is seen at once"
    for number in range(20):
        blocked(f"198.51.100.{number}")
        with django_assert_num_queries(0):
            assert watched.now().on(STRANGER) is not None
            assert watched.now().on("198.51.100.1") is None
    now[0] += 1
    assert watched.now().on("198.51.100.19") is not None


def test_while_one_thread_reads_the_list_the_others_use_the_old_one(world: World) -> None:
    watched = blocking.Watched()
    blocked(STRANGER)
    assert watched.now().on(STRANGER) is not None
    blocked("198.51.100.1")
    with watched._looking:  # as another thread would have it
        assert watched.now().on(STRANGER) is not None
        assert watched.now().on("198.51.100.1") is None
    assert watched.now().on("198.51.100.1") is not None


# --- By hand --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("network", "field"),
    [
        ("127.0.0.1", "network"),
        ("127.0.0.0/16", "network"),
        ("::1", "network"),
        ("::ffff:127.0.0.1", "network"),
        ("0.0.0.0/0", "network"),
        ("203.0.0.0/8", "network"),
        ("2001:db8::/16", "network"),
        ("198.51.0.0/16", "network"),
        ("192.0.2.0/24", "network"),
        ("somewhere", "network"),
        ("", "network"),
    ],
)
def test_what_can_not_be_blocked_by_hand(world: World, settings: Any, network: str, field: str) -> None:
    settings.HMS_NEVER_BLOCK = ["198.51.100.7"]
    with pytest.raises(ValidationFailed) as refused:
        blocked(network, own_address="192.0.2.44")
    assert [one.field for one in refused.value.details] == [field]


def test_only_the_platforms_operators_block(riverside: Place, world: World) -> None:
    with pytest.raises(NotAllowed):
        block_network(
            actor=riverside.actor(Role.CLINIC_ADMIN), network=STRANGER, until=timezone.now() + timedelta(hours=1), reason="x"
        )


def test_the_admin_blocks_and_lifts(sign_in: Any, client: Client, world: World, riverside: Place) -> None:
    browser = sign_in(world.platform[Role.SYSTEM_ADMIN], riverside.clinic)
    add = reverse("admin:core_addressblock_add")
    refused = browser.post(add, {"network": "127.0.0.1", "hours": "24", "reason": "mine"})
    assert "never blocked" in refused.text
    done = browser.post(add, {"network": "203.0.113.9/24", "hours": "24", "reason": "scans us"})
    assert done.status_code == 302
    block = AddressBlock.objects.get()
    assert (block.network, block.reason, block.made_by_id) == ("203.0.113.0/24", "scans us", world.platform[Role.SYSTEM_ADMIN].pk)
    assert client.get("/sign-in/", REMOTE_ADDR=STRANGER).status_code == 403
    listed = browser.get(reverse("admin:core_addressblock_changelist"))
    assert "scans us" in listed.text
    browser.post(reverse("admin:core_addressblock_changelist"), {"action": "lift", "_selected_action": [str(block.pk)]})
    block.refresh_from_db()
    assert block.lifted_by_id == world.platform[Role.SYSTEM_ADMIN].pk
    assert client.get("/sign-in/", REMOTE_ADDR=STRANGER).status_code == 200


def test_the_command_lists_adds_and_lifts(world: World, capsys: Any) -> None:
    call_command("blocks", "add", STRANGER, "--reason", "scans us", "--hours", "2")
    call_command("blocks", "list")
    assert "203.0.113.7/32  everybody  until" in capsys.readouterr().out
    call_command("blocks", "lift", STRANGER)
    call_command("blocks", "list")
    assert "Nothing is blocked." in capsys.readouterr().out
    with pytest.raises(CommandError, match="not blocked"):
        call_command("blocks", "lift", STRANGER)
    with pytest.raises(CommandError, match="too large"):
        call_command("blocks", "add", "10.0.0.0/8", "--reason", "x")


def test_lifting_twice_changes_nothing(world: World) -> None:
    block = blocked(STRANGER)
    with unit_of_work(Scope(reason="test")):
        first = lift_block(actor=None, block_id=block.pk).lifted_at
        assert lift_block(actor=None, block_id=block.pk).lifted_at == first
