"""Whatever names a record of a clinic, names one of its own, and a room one of its location: at the API and in the admin.

That no row can point into another clinic, by whatever door, PostgreSQL holds itself (tests/architecture/test_isolation.py).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from appointments.models import QueueSeries
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from tests.factories.api_client import ApiClient
from tests.factories.bodies import body_for
from tests.factories.cases import filled, notification_of
from tests.factories.openapi import BodyField, Operation, fields_of, operations, types_of
from tests.factories.queue import open_queue
from tests.factories.routes import Route
from tests.factories.world import Place, World

# What a field of a body refers to, by its name: an attribute of `Place` that lists such records.
LISTS = {
    "patient": "patients",
    "service": "services",
    "provider": "providers",
    "provider_id": "providers",
    "offered_by": "providers",
    "location": "locations",
    "location_ids": "locations",
    "room": "rooms",
    "department": "departments",
    "series": "series",
    "user": "users",
    "until": "notifications",
}
REFUSED = {"does_not_exist", "not_found", "invalid_choice"}
WITH_BODY = [one for one in operations() if one.body and one.path.startswith("/api/v2/")]


def references(operation: Operation) -> Iterator[BodyField]:
    for field in fields_of(operation.body or {}):
        items = field.schema.get("items", {})
        if "uuid" in (field.schema.get("format"), items.get("format")):
            yield field


REFERRING = [(one, field) for one in WITH_BODY for field in references(one)]


def record_of(place: Place, name: str) -> str:
    """The id of a record of that clinic, which nobody outside of it may name."""
    kind = LISTS[name]
    if kind == "departments":
        with clinic_scope(place.clinic, reason="test"):
            return str(place.providers[0].department_id)
    if kind == "series":
        with clinic_scope(place.clinic, reason="test"):
            open_queue(place)
            return str(QueueSeries.objects.get(letter="A").pk)
    if kind == "notifications":
        return notification_of(place)
    if kind == "users":
        return str(place.users[Role.NURSE].pk)
    return str(getattr(place, kind)[0].pk)


def with_reference(body: dict[str, Any], field: BodyField, key: str) -> dict[str, Any]:
    value: Any = [key] if "array" in types_of(field.schema) else key
    for name in reversed(field.path[1:]):
        value = {name: value}
    outer = field.path[0]
    return {**body, outer: {**body.get(outer, {}), **value} if isinstance(value, dict) else value}


def ask(operation: Operation, body: dict[str, Any], place: Place) -> Any:
    address = filled(Route(operation.path, "", "api", operation.method.upper(), None, None, None), place)
    return ApiClient(place.users[Role.CLINIC_ADMIN]).request(operation.method.upper(), address, body)


def test_the_walk_finds_the_references() -> None:
    assert {field.path[-1] for _one, field in REFERRING} <= LISTS.keys()
    assert len(REFERRING) > 15


@pytest.mark.parametrize(("operation", "field"), REFERRING, ids=lambda value: getattr(value, "id", getattr(value, "name", "")))
def test_the_api_takes_no_record_of_another_clinic(operation: Operation, field: BodyField, world: World) -> None:
    ours, theirs = world.riverside, world.hillcrest
    body = body_for(operation.method, operation.path, ours)
    for key in (record_of(theirs, field.path[-1]), "01890a5d-ac96-774b-bcce-b302099a8057"):
        answer = ask(operation, with_reference(body, field, key), ours)
        assert answer.status_code == 400, answer.content
        codes = {one["field"].removesuffix(".0"): one["code"] for one in answer.json()["error"]["details"]}
        assert codes.get(field.name) in REFUSED, codes


@pytest.mark.parametrize("operation", [one for one, field in REFERRING if field.name == "room"], ids=lambda one: one.id)
def test_a_room_is_of_its_location(operation: Operation, world: World) -> None:
    ours = world.riverside
    names = {field.name for field in references(operation)}
    body = body_for(operation.method, operation.path, ours)
    here, elsewhere = ours.locations[0], ours.rooms[2]
    assert elsewhere.location_id != here.pk
    sent = {**body, "room": str(elsewhere.pk)} | ({"location": str(here.pk)} if "location" in names else {})
    answer = ask(operation, sent, ours)
    if "location" in names:
        assert answer.status_code == 400, answer.content
        assert [one["code"] for one in answer.json()["error"]["details"] if one["field"] == "room"] == ["wrong_location"]
    else:  # the room says where: nobody works there
        assert answer.status_code in (400, 409), answer.content


# --- Admin ------------------------------------------------------------------------------------------------------------------
CLINICS = [model for model in admin.site._registry if getattr(model, "table_kind", "") == "clinic"]


@pytest.mark.parametrize("model", CLINICS, ids=lambda model: model.__name__)
def test_the_admin_takes_no_record_of_another_clinic(model: Any, world: World) -> None:
    ours, theirs = world.riverside, world.hillcrest
    client = Client()
    client.force_login(ours.users[Role.CLINIC_ADMIN])
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
    page = client.get(address)
    if page.status_code == 403:
        pytest.skip("nobody adds it by hand")
    choosing = {
        name
        for name, field in page.context["adminform"].form.fields.items()
        if isinstance(field, forms.ModelChoiceField | forms.MultipleChoiceField) and name in LISTS
    }
    for name in choosing:
        answer = client.post(address, {name: record_of(theirs, name)})
        assert answer.status_code == 200
        assert answer.context["adminform"].form.errors.as_data()[name][0].code in REFUSED


def test_nobody_is_a_member_at_another_clinics_location(world: World) -> None:
    ours, theirs = world.riverside, world.hillcrest
    client = Client()
    client.force_login(ours.users[Role.CLINIC_ADMIN])
    address = reverse("admin:core_membership_change", args=[ours.memberships[Role.NURSE].pk])
    sent = {"roles": ["NURSE"], "state": "active", "location_ids": [str(theirs.locations[0].pk)]}
    answer = client.post(address, sent)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.as_data()["location_ids"][0].code == "invalid_choice"
    assert client.post(address, {**sent, "location_ids": [str(ours.locations[0].pk)]}).status_code == 302
