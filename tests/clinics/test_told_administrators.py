"""What outlives a session and whoever becomes an administrator is told to a clinic's administrators by e-mail."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from clinics.services import change_place_of_work, invite
from core.accounts.actor import Actor, system_actor
from core.accounts.roles import Role
from core.accounts.services import add_member
from core.data_sync.services import change_data_sync, set_up_data_sync
from core.webhooks.services import create_webhook, update_webhook
from tests.factories.api_keys import made_key
from tests.factories.world import Place

HOOK: dict[str, Any] = {"name": "Laboratory", "url": "https://lab.example.org/hms", "events": ["patient.changed"]}
OTHER = "https://elsewhere.example.org/"
ADDRESS = "administrator.new@example.org"


@pytest.fixture
def boss(in_riverside: Place) -> Actor:
    return in_riverside.actor(Role.CLINIC_ADMIN)


@pytest.fixture
def told(in_riverside: Place, letters: list[Any]) -> Callable[..., None]:
    """told(words, ...): since it was asked last each administrator, and nobody else, got one letter with these words."""

    def check(*words: str) -> None:
        found = [one for one in letters if "Join " not in one.subject]
        boss = in_riverside.users[Role.CLINIC_ADMIN].email
        assert [json.loads(one.addresses) for one in found] == [{"email": boss}] * bool(words)
        assert [one for one in words if one not in found[0].text] == []
        letters.clear()

    return check


def test_of_a_webhook_and_its_addresses(boss: Actor, in_riverside: Place, told: Callable[..., None]) -> None:
    endpoint, _ = create_webhook(actor=boss, data=HOOK)
    told(in_riverside.users[Role.CLINIC_ADMIN].email, in_riverside.clinic.name, HOOK["name"], HOOK["url"], "patient.changed")
    update_webhook(actor=boss, webhook_id=endpoint.pk, changes={"name": "Lab", "url": HOOK["url"], "is_active": False})
    told()
    update_webhook(actor=system_actor(), webhook_id=endpoint.pk, changes={"url": OTHER})
    told("An operator", HOOK["url"], OTHER)


def test_of_a_webhook_that_an_api_key_sets_up(in_riverside: Place, told: Callable[..., None], letters: list[Any]) -> None:
    key, _ = made_key(in_riverside, "webhook:create", name="Night job")
    letters.clear()
    actor = Actor(key.user_id, key.name, in_riverside.clinic.pk, frozenset(), scopes=frozenset(key.scopes))
    create_webhook(actor=actor, data=HOOK)
    told("The API key “Night job”", HOOK["url"])


def test_of_a_data_sync_and_its_addresses(boss: Actor, in_riverside: Place, told: Callable[..., None]) -> None:
    sync, _ = set_up_data_sync(actor=boss, data={"url": HOOK["url"], "is_active": True})
    told(in_riverside.users[Role.CLINIC_ADMIN].email, in_riverside.clinic.name, HOOK["url"])
    change_data_sync(actor=boss, data_sync_id=sync.pk, changes={"url": HOOK["url"], "is_active": False})
    told()
    change_data_sync(actor=boss, data_sync_id=sync.pk, changes={"url": OTHER})
    told(HOOK["url"], OTHER)


def test_of_an_invited_administrator(boss: Actor, in_riverside: Place, told: Callable[..., None]) -> None:
    invite(actor=boss, email=ADDRESS, roles=[Role.NURSE])
    told()
    invite(actor=boss, email=ADDRESS, roles=[Role.CLINIC_ADMIN, Role.DOCTOR])
    told(in_riverside.users[Role.CLINIC_ADMIN].email, ADDRESS, in_riverside.clinic.name)


def test_of_a_member_who_becomes_one(boss: Actor, in_riverside: Place, told: Callable[..., None]) -> None:
    nurse, email = in_riverside.memberships[Role.NURSE].pk, in_riverside.users[Role.NURSE].email
    change_place_of_work(actor=boss, membership_id=nurse, changes={"roles": [Role.NURSE, Role.DOCTOR]})
    told()
    change_place_of_work(actor=boss, membership_id=nurse, changes={"roles": [Role.NURSE, Role.CLINIC_ADMIN]})
    told(boss_email := in_riverside.users[Role.CLINIC_ADMIN].email, email)
    change_place_of_work(actor=boss, membership_id=nurse, changes={"state": "left"})
    told()
    change_place_of_work(actor=boss, membership_id=nurse, changes={"state": "active"})
    told(boss_email, email)


def test_of_one_whom_an_operator_adds(in_riverside: Place, told: Callable[..., None]) -> None:
    given = {"email": ADDRESS, "full_name": "New Administrator", "password": "Seven-Quiet-Owls-1"}
    add_member(actor=system_actor(in_riverside.clinic.pk), **given, roles=[Role.CLINIC_ADMIN])
    told("An operator", ADDRESS)
