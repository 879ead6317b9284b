"""Every form that changes a record carries what it was given, so that two people at it can be told apart."""

from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from core.editing import READ, Reading
from tests.factories.cases import filled
from tests.factories.page_forms import forms_of
from tests.factories.routes import Route, routes
from tests.factories.world import World

EDITING = [route for route in routes("page", methods=("GET",)) if route.action == "change"]
# Rows are replaced as a whole, and the page shows them all: whoever saves last has seen what they replace only as it was before.
WHOLE_LISTS = {"/settings/schedules/{provider_id}/week/"}
# Buttons of another page.
BY_POST_ALONE = {"/patients/{patient_id}/messages/resume/", "/settings/queue/screens/{screen_id}/end/"}


def test_there_are_forms_to_walk() -> None:
    assert len(EDITING) >= 3
    assert {route.path for route in EDITING} >= WHOLE_LISTS


def test_a_button_has_no_page(sign_in: Any, world: World) -> None:
    client: Client = sign_in(world.riverside.users[Role.CLINIC_ADMIN])
    buttons = [one for one in EDITING if one.path in BY_POST_ALONE]
    assert [client.get(filled(one, world.riverside)).status_code for one in buttons] == [405] * len(BY_POST_ALONE)


@pytest.mark.parametrize("route", [one for one in EDITING if one.path not in WHOLE_LISTS | BY_POST_ALONE], ids=lambda one: one.path)
def test_a_form_that_changes_a_record_remembers_what_it_was_given(route: Route, sign_in: Any, world: World) -> None:
    client: Client = sign_in(world.riverside.users[Role.CLINIC_ADMIN])
    address = filled(route, world.riverside)
    page = client.get(address)
    assert page.status_code == 200
    (form,) = [one for one in forms_of(page.text, address) if READ in one.values]
    del form.values["idempotency_key"]
    again = client.post(address, {**form.values, READ: "forged"})
    assert again.status_code == 303, "nothing was typed, so nothing is in question"
    for name, values in form.values.items():
        if values and values[0] not in ("", "on") and name not in (READ, "csrfmiddlewaretoken"):
            forged = client.post(address, {**form.values, name: f"{values[0]} x", READ: "forged"})
            assert forged.status_code in (412, 422), f"{name} was written over unseen"


def test_a_reading_is_of_one_record() -> None:
    text = Reading(3, {"city": "Bath", "channels": ["sms"], "yes": True}, {"city": "Wells"}).sealed("patient 1")
    assert Reading.opened(text, "patient 1") == Reading(3, {"city": "Bath", "channels": ["sms"], "yes": True}, {"city": "Wells"})
    for other in (Reading.opened(text, "patient 2"), Reading.opened(text + "x", "patient 1"), Reading.opened(None, "patient 1")):
        assert other is None
