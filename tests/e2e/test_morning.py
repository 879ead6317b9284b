"""A clinic's morning at the front desk, on the real pages: by mouse, by keyboard alone, and without JavaScript."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import RETRIES
from tests.e2e.desk import (
    DRAFT,
    Api,
    empty_registration,
    fill_person,
    is_kept,
    keeps_drafts,
    new_name,
    on_the_board,
    person_of,
    tab_to,
    where_the_day_is_long,
)
from tests.factories.patience import eventually

MOST_INTERACTIONS = 5
TYPED_AND_DISCARDED = """city => {
  city.value = "Readford";
  city.dispatchEvent(new Event("input", { bubbles: true }));
  document.querySelector("form[action$='/discard/'] button").click();
}"""


@pytest.fixture
def page(page_as: Callable[..., Page]) -> Page:
    return page_as(where_the_day_is_long())


@pytest.fixture
def clinic(page: Page) -> Api:
    return Api(page)


def toast(page: Page, words: str) -> None:
    expect(page.locator("#toasts")).to_contain_text(words)


# --- With the mouse ---------------------------------------------------------------------------------------------------
def test_a_patient_is_found_in_the_top_box(page: Page, clinic: Api) -> None:
    patient = clinic.patient()
    page.goto("/")
    page.locator("#q").click()
    page.locator("#q").press_sequentially(patient["family_name"][:6].lower())
    page.get_by_role("option").filter(has_text=patient["mrn"]).click()
    assert person_of(page) == patient["id"]
    expect(page.get_by_role("heading", level=1)).to_contain_text(patient["family_name"])


def test_who_seems_registered_is_warned_of_and_registered_anyway(page: Page, clinic: Api) -> None:
    known = clinic.patient()
    empty_registration(page)
    fill_person(page, known["given_name"], known["family_name"], known["date_of_birth"])
    page.locator("[name=city]").fill("Readford")
    page.locator("[name=phone]").fill("+44 20 7946 0123")
    expect(page.locator("#duplicates")).to_contain_text(known["mrn"])
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.locator("#duplicate-warning")).to_be_focused()
    assert len(clinic.found(known["family_name"])) == 1, "registered in spite of the warning"
    for name, typed in (("given_name", known["given_name"]), ("city", "Readford"), ("phone", "+44 20 7946 0123")):
        expect(page.locator(f"#record [name={name}]")).to_have_value(typed)
    expect(page.get_by_label("Female", exact=True)).to_be_checked()
    page.get_by_role("button", name="Somebody else: register anyway").click()
    created = clinic.get(f"patients/{person_of(page)}")
    toast(page, f"Registered as {created['mrn']}")
    assert created["id"] != known["id"]
    assert created["mrn"] != known["mrn"]
    assert (created["family_name"], created["address"]["city"]) == (known["family_name"], "Readford")


def test_a_visit_is_booked_through_the_panel(page: Page, clinic: Api) -> None:
    patient = clinic.patient()
    page.goto(f"/patients/{patient['id']}/")
    page.locator(".banner").get_by_role("link", name="Book").click()
    page.locator("#b-service").select_option(clinic.service("Physiotherapy"))
    expect(page.locator("#b-confirm")).to_be_enabled()
    clock = page.locator("#b-confirm [data-said=time]").inner_text()
    page.locator("#b-notes").fill("Left knee")
    page.locator("#b-confirm").click()
    toast(page, f"Booked {patient['given_name']} {patient['family_name']} at {clock}")
    (visit,) = clinic.visits_of(patient["id"])
    assert (visit["status"], visit["notes"], visit["service"]["name"]) == ("confirmed", "Left knee", "Physiotherapy")
    assert f"{datetime.fromisoformat(visit['start']).astimezone(ZoneInfo(visit['time_zone'])):%H:%M}" == clock


def test_a_returning_patient_is_booked_in_at_most_five_interactions(page: Page, clinic: Api) -> None:
    patient = clinic.patient()
    service = clinic.service("Wound care")
    page.goto("/")
    steps: list[Callable[[], Any]] = [
        lambda: page.keyboard.press("/"),
        lambda: page.keyboard.type(f"book for {patient['family_name']}"),
        lambda: page.get_by_role("option").filter(has_text=patient["mrn"]).click(),
        lambda: page.locator("#b-service").select_option(service),
        lambda: page.locator("#b-confirm").click(),
    ]
    for step in steps:
        step()
    assert len(steps) <= MOST_INTERACTIONS
    toast(page, f"Booked {patient['given_name']} {patient['family_name']}")
    assert [one["service"]["id"] for one in clinic.visits_of(patient["id"])] == [service]


def test_somebody_goes_through_the_day_on_the_board(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient(), today=True)
    page.goto("/")
    for word, status, said in (
        ("Check in", "checked_in", "is checked in"),
        ("Call", "in_progress", "is with"),
        ("Finish", "completed", "is finished"),
    ):
        button = on_the_board(page, visit["id"])
        expect(button).to_contain_text(word)
        button.click()
        toast(page, said)
        assert clinic.status(visit) == status
    expect(page.locator(f"#step-{visit['id']}")).to_have_count(0)
    assert urlsplit(page.url).path == "/", "the board changes in place"


def test_a_step_is_undone_from_its_toast(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient(), today=True)
    page.goto("/")
    on_the_board(page, visit["id"]).click()
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    toast(page, "Undone.")
    assert clinic.status(visit) == "confirmed"
    expect(on_the_board(page, visit["id"])).to_contain_text("Check in")


def test_who_did_not_come_is_marked_on_the_visits_page_and_comes_after_all(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient(), today=True)
    page.goto(f"/appointments/{visit['id']}/")
    page.get_by_role("button", name="Did not come").click()
    toast(page, "did not come")
    assert clinic.status(visit) == "no_show"
    page.goto(f"/appointments/{visit['id']}/")
    page.get_by_role("button", name="Undo the last step").click()
    toast(page, "Undone.")
    assert clinic.status(visit) == "confirmed"


def test_a_visit_is_moved_and_its_history_says_so(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient())
    page.goto(f"/appointments/{visit['id']}/")
    page.get_by_role("link", name="Move").click()
    page.wait_for_url("**/reschedule/")  # and its scripts are there
    other = page.locator(".times label", has=page.locator("input:enabled:not(:checked)")).last
    clock = other.locator("input").get_attribute("data-time")
    other.click()
    expect(page.locator("#b-confirm")).to_contain_text(f"to {clock}")
    page.get_by_label("Reason").fill("Missed the bus")
    page.locator("#b-confirm").click()
    expect(page.locator(".timeline")).to_contain_text(re.compile(rf"Moved from .* to .*{clock}"))
    expect(page.locator(".timeline")).to_contain_text("Missed the bus")
    moved = clinic.get(f"appointments/{visit['id']}")
    # The last free time may be the same minute with another colleague.
    assert (moved["start"], moved["provider"]["id"]) != (visit["start"], visit["provider"]["id"])
    assert [one["kind"] for one in clinic.get(f"appointments/{visit['id']}/history")] == ["booked", "moved"]


def test_a_visit_is_cancelled_with_a_reason_in_the_dialog(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient())
    page.goto(f"/appointments/{visit['id']}/")
    page.get_by_role("link", name="Cancel the visit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("Feels better")
    dialog.get_by_role("button", name="Cancel the visit").click()
    toast(page, "is cancelled")
    assert clinic.status(visit) == "cancelled"
    assert clinic.get(f"appointments/{visit['id']}/history")[-1]["reason"] == "Feels better"


def test_a_taken_time_offers_others_and_one_click_books(page: Page, clinic: Api) -> None:
    patient, faster, service = clinic.patient(), clinic.patient(), clinic.service("Blood test")
    page.goto(f"/appointments/book/?patient={patient['id']}&service={service}")
    page.locator("#b-notes").fill("Fasting since midnight")
    start, _, provider = page.locator("[name=slot]:checked").input_value().partition("~")
    taken = clinic.book(faster, service, start, provider)
    page.locator("#b-confirm").click()
    warning = page.locator("#booking [role=alert]")
    expect(warning).to_contain_text("One click books")
    expect(page.locator("#b-notes")).to_have_value("Fasting since midnight")
    assert not clinic.visits_of(patient["id"])
    wanted = warning.get_by_role("button").first.get_attribute("value")
    warning.get_by_role("button").first.click()
    toast(page, f"Booked {patient['given_name']}")
    (visit,) = clinic.visits_of(patient["id"])
    assert (visit["status"], visit["notes"]) == ("confirmed", "Fasting since midnight")
    assert (visit["start"], visit["provider"]["id"]) != (taken["start"], taken["provider"]["id"])
    assert str(wanted).endswith(visit["provider"]["id"])


# --- By keyboard alone ------------------------------------------------------------------------------------------------
def test_the_keyboard_finds_and_opens(page: Page, clinic: Api) -> None:
    patient = clinic.patient()
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type(patient["family_name"])
    expect(page.locator("#q-1")).to_contain_text(patient["mrn"])
    expect(page.locator("[role=listbox]")).to_have_attribute("data-answers", patient["family_name"])
    page.keyboard.press("ArrowDown")
    expect(page.locator("#q-1")).to_have_attribute("aria-selected", "false")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#q-1")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    assert person_of(page) == patient["id"]


def test_enter_opens_nobody_whom_an_older_text_found(page: Page, clinic: Api) -> None:
    """The hits of the first name stand there; the rest of the name is typed and Enter pressed before there are others."""
    given, _family = new_name()
    first, wanted = clinic.patient(given_name=given), clinic.patient(given_name=given)
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type(given)
    expect(page.locator("#q-2")).to_be_visible()
    shown_first = page.locator("#q-1").get_attribute("data-href")
    other = wanted if shown_first == f"/patients/{first['id']}/" else first
    page.route("**/patients/suggest/", lambda _route: None)  # the answer is still on its way
    page.keyboard.type(f" {other['family_name']}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/search/")
    expect(page.locator("#results h3")).to_have_count(1)
    expect(page.locator("#results")).to_contain_text(other["mrn"])


def test_the_keyboard_registers_and_sees_the_visit_through(page: Page, clinic: Api) -> None:
    given, family = new_name()
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type(f"{given} {family}")
    expect(page.locator("#q-new")).to_contain_text(family)
    page.keyboard.press("ArrowUp")  # from the first option round to the last
    if page.locator("#q-new").get_attribute("aria-selected") != "true":
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("#record [name=family_name]")).to_have_value(family)
    tab_to(page, page.locator("#record [name=date_of_birth]"))
    page.keyboard.type("05051991")  # the same in every order of day and month
    expect(page.locator("#record [name=date_of_birth]")).to_have_value("1991-05-05")
    tab_to(page, page.locator("#record [name=sex]").first)
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Register", exact=True))
    page.keyboard.press("Enter")
    person = clinic.get(f"patients/{person_of(page)}")
    assert (person["given_name"], person["family_name"], person["date_of_birth"]) == (given, family, "1991-05-05")

    tab_to(page, page.locator(".banner").get_by_role("link", name="Book"))
    page.keyboard.press("Enter")
    expect(page.locator("#b-service")).to_be_focused()  # not behind all the calendar's visits
    page.keyboard.press("w")  # Wound care
    expect(page.locator("#b-confirm")).to_be_enabled()
    tab_to(page, page.locator("#b-confirm"))
    page.keyboard.press("Enter")
    toast(page, f"Booked {given} {family}")
    (visit,) = clinic.visits_of(person["id"])
    assert (visit["status"], visit["service"]["name"]) == ("confirmed", "Wound care")


def test_the_keyboard_checks_in_starts_and_finishes(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient(), today=True)
    page.goto("/")
    button = page.locator(f"#step-{visit['id']}")
    if not button.count():  # not among the first who are expected
        tab_to(page, page.locator("a.rest[href*='#more-expected']"))
        page.keyboard.press("Enter")
    for word, key, status in (
        ("Check in", "Enter", "checked_in"),
        ("Call", "Space", "in_progress"),
        ("Finish", "Enter", "completed"),
    ):
        expect(button).to_contain_text(word)
        tab_to(page, button)
        with page.expect_response(re.compile(r"/appointments/.*/")):
            page.keyboard.press(key)
        assert clinic.status(visit) == status
    expect(button).to_have_count(0)


def test_the_keyboard_cancels(page: Page, clinic: Api) -> None:
    visit = clinic.visit(clinic.patient())
    page.goto(f"/appointments/{visit['id']}/")
    tab_to(page, page.get_by_role("link", name="Cancel the visit"))
    page.keyboard.press("Enter")
    reason = page.get_by_role("dialog").get_by_label("Reason")
    expect(reason).to_be_focused()
    page.keyboard.type("On holiday")
    page.keyboard.press("Enter")
    toast(page, "is cancelled")
    assert clinic.status(visit) == "cancelled"


# --- Without JavaScript -----------------------------------------------------------------------------------------------
def test_without_javascript_a_patient_is_registered_and_booked(page_as: Callable[..., Page]) -> None:
    page = page_as(java_script_enabled=False)
    clinic = Api(page)
    known = clinic.patient()
    empty_registration(page)
    fill_person(page, known["given_name"], known["family_name"], known["date_of_birth"])
    page.get_by_role("button", name="Register and book").click()
    expect(page.locator("#duplicate-warning")).to_be_visible()
    expect(page.locator("#duplicates")).to_contain_text(known["mrn"])
    expect(page.locator("#record [name=family_name]")).to_have_value(known["family_name"])
    page.get_by_role("button", name="Somebody else: register anyway").click()
    person = page.locator("#book [name=patient]").input_value()
    page.locator("#b-service").select_option(clinic.service("Vaccination"))
    page.locator("noscript button", has_text="Show times").click()
    expect(page.locator("#b-confirm")).to_be_enabled()
    page.locator("#b-confirm").click()
    toast(page, "Booked")
    assert person != known["id"]
    assert [one["status"] for one in clinic.visits_of(person)] == ["confirmed"]


def test_a_booking_goes_on_with_somebody_who_turns_out_to_be_new(page: Page, clinic: Api) -> None:
    given, family = new_name()
    empty_registration(page)
    page.goto(f"/appointments/book/?service={clinic.service('Telephone call')}&next=/patients/")
    expect(page.locator("#b-confirm")).to_be_enabled()
    page.locator(".times label", has=page.locator("input:enabled")).last.click()
    wanted = page.locator("[name=slot]:checked").input_value()
    page.get_by_label("Patient", exact=True).press_sequentially(f"{given} {family}")
    tab_to(page, page.get_by_role("button", name="Register a new patient"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/register/begin/")  # a page, and nothing inside of the panel
    expect(page.locator("#record [name=family_name]")).to_have_value(family)
    fill_person(page, given, family)
    page.get_by_role("button", name="Register and book").press("Enter")
    expect(page.locator(".chosen")).to_contain_text(f"{given} {family}")
    expect(page.locator("[name=slot]:checked")).to_have_value(wanted)
    page.locator("#b-confirm").click()
    toast(page, f"Booked {given} {family}")
    assert page.url.endswith("/patients/")


# --- Nothing typed is lost, nothing is done twice -----------------------------------------------------------------------
def test_a_draft_is_back_after_a_reload(page: Page, clinic: Api) -> None:
    given, family = new_name()
    empty_registration(page)
    with page.expect_response(lambda answer: is_kept(answer, "sex=female")):  # without its last field it may be sent first
        fill_person(page, given, family)
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft kept")
    page.reload()
    expect(page.locator("#record [name=given_name]")).to_have_value(given)
    expect(page.locator("#record [name=family_name]")).to_have_value(family)
    expect(page.get_by_label("Female", exact=True)).to_be_checked()
    page.get_by_role("button", name="Discard draft").click()
    expect(page.locator("#record [name=family_name]")).to_have_value("")
    assert not clinic.found(family)


@pytest.mark.parametrize("pause", [False, True], ids=["not yet sent", "on its way"])
def test_the_last_word_goes_with_the_draft_that_is_thrown_away(pause: bool, page: Page, clinic: Api) -> None:
    given, family = new_name()
    empty_registration(page)
    with page.expect_response(lambda answer: is_kept(answer, "sex=female")):  # without its last field it may be sent first
        fill_person(page, given, family)
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft kept")
    page.reload()
    keeps_drafts(page)
    on_its_way: list[Route] = []
    page.route(DRAFT, lambda route: on_its_way.append(route))
    if pause:
        with page.expect_request(DRAFT):
            page.locator("#record [name=city]").fill("Readford")
        page.get_by_role("button", name="Discard draft").click()
        with page.expect_request("**/discard/"):  # it has waited
            on_its_way[0].continue_()
    else:  # in one moment, however slow the machine is: the pause after which a draft is sent is short
        page.locator("#record [name=city]").evaluate(TYPED_AND_DISCARDED)
    expect(page.locator("#record [name=city]")).to_have_value("")
    assert len(on_its_way) == pause, "what was not sent yet is not sent while the page is left"
    page.goto("/patients/register/")
    expect(page.locator("#record [name=family_name]")).to_have_value("")
    expect(page.get_by_role("button", name="Discard draft")).to_have_count(0)


def test_a_newer_word_waits_until_the_older_one_has_arrived(page: Page) -> None:
    page.clock.install()
    empty_registration(page)
    keeps_drafts(page)
    sent: list[Route] = []
    page.route(DRAFT, lambda route: sent.append(route))
    city = page.locator("#record [name=city]")
    city.fill("Readford")
    page.clock.run_for(2000)
    eventually(lambda: page.title() and sent)
    city.fill("Wareham")
    page.clock.run_for(2000)
    assert page.title() and len(sent) == 1
    with page.expect_request(DRAFT):
        sent[0].continue_()
    eventually(lambda: page.title() and len(sent) == 2)
    with page.expect_response(DRAFT):
        sent[1].continue_()
    page.reload()
    expect(city).to_have_value("Wareham")
    page.get_by_role("button", name="Discard draft").click()
    expect(city).to_have_value("")


def test_the_last_word_of_a_page_that_is_left_stays_though_it_arrives_first(page: Page) -> None:
    empty_registration(page)
    late: list[Route] = []
    page.route(DRAFT, lambda route: late.append(route))
    city = page.locator("#record [name=city]")
    city.fill("Read")
    eventually(lambda: page.title() and late)
    page.unroute(DRAFT)
    city.fill("Readford")
    page.goto("/")
    eventually(lambda: "Readford" in page.request.get("/patients/register/", max_retries=RETRIES).text())
    assert [one.fetch(max_retries=RETRIES).status for one in late] == [200]
    page.goto("/patients/register/")
    expect(city).to_have_value("Readford")
    page.get_by_role("button", name="Discard draft").click()
    expect(city).to_have_value("")


def test_what_is_typed_before_the_script_has_come_is_kept_too(page: Page) -> None:
    scripts: list[Route] = []
    page.route("**/forms*.js", lambda route: scripts.append(route))
    empty_registration(page)
    eventually(lambda: page.title() and scripts)
    city = page.locator("#record [name=city]")
    city.fill("Readford")
    with page.expect_response(lambda answer: is_kept(answer, "city=Readford")):
        for one in scripts:
            one.continue_()
    page.unroute("**/forms*.js")
    page.reload()
    expect(city).to_have_value("Readford")
    page.get_by_role("button", name="Discard draft").click()
    expect(city).to_have_value("")


def test_a_form_that_nobody_has_touched_leaves_no_draft(page: Page, clinic: Api) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if DRAFT.search(request.url) else None)
    page.clock.install()
    empty_registration(page)
    for path in ("/patients/register/", f"/patients/{clinic.patient()['id']}/edit/"):
        page.goto(path)
        keeps_drafts(page)
        page.clock.run_for(2000)
    page.goto("/")
    assert page.title() and not sent


def test_whoever_goes_back_to_a_form_that_was_sent_finds_nothing_of_it(page: Page, clinic: Api) -> None:
    given, family = new_name()
    empty_registration(page)
    fill_person(page, given, family)
    page.get_by_role("button", name="Register", exact=True).click()
    person_of(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if DRAFT.search(request.url) else None)
    page.go_back()
    keeps_drafts(page)
    expect(page.get_by_label("Female", exact=True)).not_to_be_checked()  # browsers put back what was chosen, if they may
    page.goto("/patients/register/")
    expect(page.get_by_role("button", name="Discard draft")).to_have_count(0)
    assert page.title() and not sent


def test_a_draft_that_is_late_does_not_come_back(page: Page, clinic: Api) -> None:
    """It was on its way when the form was sent, and arrives after it."""
    given, family = new_name()
    empty_registration(page)
    late: list[Route] = []
    page.route("**/drafts/**", lambda route: late.append(route))
    with page.expect_request("**/drafts/**"):
        fill_person(page, given, family)
    page.get_by_role("button", name="Register", exact=True).click()
    person = person_of(page)
    assert [one["id"] for one in clinic.found(family)] == [person]
    assert [one.fetch(max_retries=RETRIES).status for one in late] == [204]
    page.goto("/patients/register/")
    expect(page.locator("#record [name=family_name]")).to_have_value("")


def test_a_draft_that_is_too_long_is_told_in_these_words_and_once(page: Page) -> None:
    empty_registration(page)
    words = "That is too long to be kept as a draft."
    notes = page.locator("#record [name=notes]")
    with page.expect_response("**/drafts/**"):
        notes.evaluate("notes => { notes.value = 'x'.repeat(70000); notes.dispatchEvent(new Event('input', { bubbles: true })); }")
    toast(page, words)
    expect(page.locator("#toasts [data-retry]")).to_have_count(0)
    page.locator("#toasts").evaluate("toasts => toasts.replaceChildren()")
    with page.expect_response("**/drafts/**"):
        page.locator("#record [name=given_name]").fill("Zoë")
    expect(page.locator("#toasts")).not_to_contain_text(words)
    with page.expect_response("**/drafts/**"):
        notes.evaluate("notes => { notes.value = 'short'; notes.dispatchEvent(new Event('input', { bubbles: true })); }")
    expect(page.locator("[data-draft-note]")).to_contain_text("Draft kept")
    page.reload()
    page.get_by_role("button", name="Discard draft").click()


def test_a_double_click_registers_once(page: Page, clinic: Api) -> None:
    given, family = new_name()
    empty_registration(page)
    fill_person(page, given, family)
    page.get_by_role("button", name="Register", exact=True).dblclick()
    person = person_of(page)
    assert [one["id"] for one in clinic.found(family)] == [person]
