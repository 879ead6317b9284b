"""The bell's page, its panel and number, and the same through the API: each person's own and nobody else's."""

import re
from typing import Any

import pytest
from django.test import Client

from core.accounts.roles import Role
from core.notifications.models import Notification
from core.notifications.services import own_notifications
from core.notifications.writing import notify
from core.tenancy.context import clinic_scope
from tests.factories.api_client import ApiClient
from tests.factories.world import Place, World

PIECE = {"HX-Request": "true"}


def tell(place: Place, *roles: Role, times: int = 1) -> list[Notification]:
    """What the first of them has now, the newest first."""
    people = [place.users[role].pk for role in roles]
    with clinic_scope(place.clinic, user_id=people[0], reason="test"):
        for _ in range(times):
            notify(people, "job_done", clinic=place.clinic, details={"kind": "keys.follow_marks"})
        return list(own_notifications(place.actor(roles[0])))


def unread_of(place: Place, role: Role) -> int:
    with clinic_scope(place.clinic, user_id=place.users[role].pk, reason="test"):
        return own_notifications(place.actor(role)).unread().count()


def number_at_the_bell(browser: Client) -> str:
    return "".join(re.findall(r'<b aria-hidden="true">(.*?)</b>', browser.get("/notifications/unread/", headers=PIECE).text))


# --- Pages -----------------------------------------------------------------------------------------------------------------
def test_every_page_has_the_bell_as_a_link(sign_in: Any, riverside: Place) -> None:
    tell(riverside, Role.NURSE)
    page = sign_in(riverside.users[Role.NURSE]).get("/settings/").text
    assert re.search(r'<a class="bell" href="/notifications/"', page)
    assert "unread</span>" not in page  # the number is asked for afterwards: a page that is kept may not hold it


def test_a_patient_has_none_and_an_empty_page(sign_in: Any, riverside: Place) -> None:
    page = sign_in(riverside.users[Role.PATIENT]).get("/notifications/")
    assert page.status_code == 200 and 'class="bell"' not in page.text and "Nothing yet" in page.text


def test_the_number_is_one_s_own(sign_in: Any, riverside: Place) -> None:
    nurse, doctor = (sign_in(riverside.users[role]) for role in (Role.NURSE, Role.DOCTOR))
    assert number_at_the_bell(nurse) == ""
    tell(riverside, Role.NURSE, times=3)
    assert (number_at_the_bell(nurse), number_at_the_bell(doctor)) == ("3", "")
    tell(riverside, Role.NURSE, times=97)
    assert number_at_the_bell(nurse) == "99+"


def test_opening_one_reads_it_and_leads_on(sign_in: Any, riverside: Place) -> None:
    (row,) = tell(riverside, Role.CLINIC_ADMIN)
    browser = sign_in(riverside.users[Role.CLINIC_ADMIN])
    assert "Done: Encrypting protected fields" in browser.get("/notifications/").text
    answer = browser.post(f"/notifications/{row.pk}/read/", {"open": "1"})
    assert (answer.status_code, answer["Location"]) == (303, "/queue-dashboard/")
    assert unread_of(riverside, Role.CLINIC_ADMIN) == 0
    assert browser.post(f"/notifications/{row.pk}/read/")["Location"] == "/notifications/"


def test_another_s_is_not_found(sign_in: Any, riverside: Place, hillcrest: Place) -> None:
    (row,) = tell(riverside, Role.NURSE)
    for user in (riverside.users[Role.CLINIC_ADMIN], hillcrest.users[Role.NURSE]):
        assert sign_in(user).post(f"/notifications/{row.pk}/read/").status_code == 404
        assert ApiClient(user).post(f"notifications/{row.pk}/read").status_code == 404
        assert ApiClient(user).get(f"notifications/{row.pk}").status_code == 404
    assert unread_of(riverside, Role.NURSE) == 1


def test_all_are_read_up_to_the_newest_that_was_shown(sign_in: Any, riverside: Place) -> None:
    browser = sign_in(riverside.users[Role.NURSE])
    tell(riverside, Role.NURSE, times=2)
    shown = re.search(r'name="until" value="([0-9a-f-]{36})"', browser.get("/notifications/").text)
    assert shown
    tell(riverside, Role.NURSE)
    browser.post("/notifications/read-all/", {"until": shown[1]})
    assert unread_of(riverside, Role.NURSE) == 1
    piece = browser.post("/notifications/read-all/", {}, headers=PIECE)
    assert piece.status_code == 200 and "<html" not in piece.text and 'hx-swap-oob="true"' in piece.text
    assert unread_of(riverside, Role.NURSE) == 0


def test_pages_follow_each_other_without_a_gap(sign_in: Any, riverside: Place) -> None:
    rows = tell(riverside, Role.NURSE, times=35)
    browser, address, found = sign_in(riverside.users[Role.NURSE]), "/notifications/", []
    while address:
        page = browser.get(address).text
        found += re.findall(r'action="/notifications/([0-9a-f-]{36})/read/"', page)
        older = re.search(r'href="(\?before=[0-9a-f-]+)" rel="next"', page)
        address = f"/notifications/{older[1]}" if older else ""
    assert found == [str(row.pk) for row in rows]
    assert browser.get("/notifications/?before=nonsense").status_code == 200


def test_what_was_read_can_be_left_out(sign_in: Any, riverside: Place) -> None:
    row, _older = tell(riverside, Role.NURSE, times=2)
    browser = sign_in(riverside.users[Role.NURSE])
    browser.post(f"/notifications/{row.pk}/read/")
    listed = {show: browser.get(f"/notifications/?show={show}").text.count("/read/") for show in ("", "unread")}
    assert listed == {"": 2, "unread": 1}


# --- API -------------------------------------------------------------------------------------------------------------------
def test_the_api_says_the_same(riverside: Place) -> None:
    tell(riverside, Role.CLINIC_ADMIN, Role.NURSE, times=3)
    client = ApiClient(riverside.users[Role.CLINIC_ADMIN])
    first = client.get("notifications?limit=2").json()
    second = client.get(f"notifications?limit=2&cursor={first['meta']['page']['next']}").json()
    found = first["data"] + second["data"]
    assert len({row["id"] for row in found}) == 3
    row = found[0]
    assert (row["kind"], row["text"]) == ("job_done", "Done: Encrypting protected fields")
    assert (row["page"], row["details"], row["read_at"]) == ("/queue-dashboard/", {"kind": "keys.follow_marks"}, None)
    assert client.get(f"notifications/{row['id']}").json()["data"] == row
    assert client.get("notifications/unread-count").json()["data"] == {"count": 3}
    read = client.post(f"notifications/{row['id']}/read").json()["data"]
    assert read["read_at"] and client.post(f"notifications/{row['id']}/read").json()["data"] == read
    assert [len(client.get(f"notifications?unread={word}").json()["data"]) for word in ("true", "false")] == [2, 1]
    assert client.get("notifications?unread=perhaps").status_code == 400
    assert client.post("notifications/read-all", {"until": found[2]["id"]}).json()["data"] == {"count": 1}
    assert client.post("notifications/read-all").json()["data"] == {"count": 1}
    assert client.get("notifications/unread-count").json()["data"] == {"count": 0}
    assert unread_of(riverside, Role.NURSE) == 3


@pytest.mark.parametrize("path", ["notifications", "notifications/unread-count"])
def test_strangers_and_outsiders_get_nothing(path: str, world: World) -> None:
    assert ApiClient().get(path).status_code == 401
    assert ApiClient(world.nobody).get(path).status_code == 400  # no clinic
    admin = ApiClient(world.platform[Role.SUPER_ADMIN], world.riverside.clinic)
    tell(world.riverside, Role.NURSE)
    assert admin.get(path).json()["data"] in ([], {"count": 0})
