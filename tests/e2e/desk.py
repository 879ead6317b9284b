"""What a receptionist's tests share: the clinic's API beside the page, people and visits of their own, and the keyboard."""

import re
import secrets
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page, Response, expect

from tests.e2e.conftest import RETRIES

LETTERS = "bcdfghklmnprstvz"
EARLY, LATE = 2, 21  # o'clock in London; before and after, the desk is in New York, where enough of today is over and is to come
MOST_TABS = 150
DRAFT = re.compile(r"/drafts/[^/]+/$")  # where one is kept


def where_the_day_is_long() -> str:
    """The receptionist of the clinic whose day has neither just begun nor is about to end."""
    by_day = EARLY <= datetime.now(ZoneInfo("Europe/London")).hour < LATE
    return f"receptionist@{'riverside' if by_day else 'hillcrest'}.demo"


def new_name() -> tuple[str, str]:
    """A given and a family name that nobody in the demo has."""
    given, family = ("".join(secrets.choice(LETTERS) + secrets.choice("aeiou") for _ in range(4)).title() for _ in range(2))
    return given, family


class Api:
    """The API by the page's own session; what the tests hold against what the pages say."""

    def __init__(self, page: Page) -> None:
        self.request = page.request
        found = re.search(r'"X-CSRFToken": "(\w+)"', self.request.get("/", max_retries=RETRIES).text())
        assert found, "the frame carries no CSRF token"
        self.token = found[1]

    def get(self, path: str) -> Any:
        answer = self.request.get(f"/api/v2/{path}", max_retries=RETRIES)
        assert answer.ok, answer.text()
        return answer.json()["data"]

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.request.post(f"/api/v2/{path}", data=body, headers={"X-CSRFToken": self.token}, max_retries=RETRIES)
        assert answer.ok, answer.text()
        return answer.json()["data"]

    def patient(self, **given: Any) -> Any:
        """Somebody new, registered already."""
        first, last = new_name()
        person = {
            "given_name": first,
            "family_name": last,
            "date_of_birth": "1984-03-07",
            "sex": "female",
            "accept_duplicate": True,
        }
        return self.post("patients", person | given)

    def found(self, text: str) -> list[Any]:
        """Patients of exactly this family name."""
        matches = self.post("patients/search", {"search": text})
        people = [one.get("patient", one) for one in matches]
        return [one for one in people if one["family_name"] == text]

    def service(self, name: str = "Telephone call") -> str:
        return str(next(one["id"] for one in self.get("services?limit=100") if one["name"] == name))

    def visit(self, patient: Any, *, today: bool = False, service: str = "Telephone call") -> Any:
        """A visit of the patient: at today's next free time, or one on some day to come, to leave today to others."""
        service_id = self.service(service)
        slots = self.get(f"slots?service={service_id}")
        slot = slots[1] if today else secrets.choice(slots[len(slots) // 2 :])
        return self.book(patient, service_id, slot["start"], slot["provider"]["id"], slot["location"]["id"])

    def book(self, patient: Any, service: str, start: str, provider: str, location: str | None = None) -> Any:
        body = {"patient": patient["id"], "service": service, "provider": provider, "start": start, "location": location}
        return self.post("appointments", body)

    def visits_of(self, patient_id: str) -> list[Any]:
        found: list[Any] = self.get(f"appointments?patient={patient_id}")
        return found

    def status(self, visit: Any) -> str:
        return str(self.get(f"appointments/{visit['id']}")["status"])


def person_of(page: Page) -> str:
    """The id of the patient whose record is open."""
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}/$"))
    return page.url.rstrip("/").rsplit("/", 1)[1]


def empty_registration(page: Page) -> None:
    """The registration form without drafts that other tests left."""
    page.goto("/patients/register/")
    discard = page.get_by_role("button", name="Discard draft")
    while discard.count():
        with page.expect_navigation():
            discard.click()


def is_kept(answer: Response, words: str) -> bool:
    """Is it the answer to a draft with these words?"""
    return bool(DRAFT.search(answer.url)) and answer.ok and words in (answer.request.post_data or "")


def keeps_drafts(page: Page) -> None:
    """The script that keeps drafts has come: it is fetched beside the page, which may be shown before."""
    expect(page.locator("#record[data-kept]")).to_have_count(1)


def fill_person(page: Page, given: str, family: str, born: str = "1984-03-07") -> None:
    form = page.locator("#record")
    form.locator("[name=given_name]").fill(given)
    form.locator("[name=family_name]").fill(family)
    form.locator("[name=date_of_birth]").fill(born)
    form.get_by_label("Female", exact=True).check()


def on_the_board(page: Page, visit_id: str) -> Locator:
    """The button of the visit's next step on Today, which is asked for whole if the visit isn't among the first of its lane."""
    button, more = page.locator(f"#step-{visit_id}"), page.locator("a.rest[href*='#more-']")
    expect(button.or_(more).first).to_be_visible()
    if not button.count():
        more.first.click()
    expect(button).to_have_count(1)
    return button


def tab_to(page: Page, wanted: Locator) -> None:
    """Tab until `wanted` has the focus; opens folded parts on the way when it lies in one."""
    expect(wanted).to_have_count(1)
    fold = page.locator("details:not([open])", has=wanted)
    summary = fold.locator("summary").first if fold.count() else None
    for _ in range(MOST_TABS):
        if has_focus(wanted):
            return
        if summary is not None and has_focus(summary):
            page.keyboard.press("Enter")
            summary = None
        page.keyboard.press("Tab")
    raise AssertionError(f"{MOST_TABS} times Tab do not reach {wanted}")


def has_focus(locator: Locator) -> bool:
    return bool(locator.evaluate("one => one === document.activeElement"))
