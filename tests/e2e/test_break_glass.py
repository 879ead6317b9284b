"""A restricted record in the browser: a doctor opens it by keyboard, sees for how long, and ends it; an officer judges."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.e2e.addresses import restricted_patient

ADMIN, DOCTOR, OFFICER = (f"{role}@riverside.demo" for role in ("clinic-admin", "doctor", "compliance-officer"))
REASON = "Found unconscious on the stairs."
MOST_STEPS = 60  # of the Tab key, until what is looked for has the focus


def tab_to(page: Page, selector: str) -> None:
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} can't be reached by keyboard")


def test_a_doctor_opens_a_record_by_keyboard_and_ends_it(page_as: Callable[..., Page]) -> None:
    patient = restricted_patient(page_as(ADMIN).request)
    page = page_as(DOCTOR)
    answer = page.goto(f"/patients/{patient}/")
    assert answer and answer.status == 403
    expect(page.get_by_role("heading", level=1)).to_contain_text("This record is restricted")
    tab_to(page, "#id_category")
    page.keyboard.type("Emer")
    tab_to(page, "#id_reason")
    page.keyboard.type("Help")
    tab_to(page, "button.danger")
    page.keyboard.press("Enter")
    expect(page.locator("#form-errors")).to_contain_text("At least 10 characters")
    tab_to(page, "#id_reason")
    page.keyboard.press("Control+A")
    page.keyboard.type(REASON)
    tab_to(page, "button.danger")
    page.keyboard.press("Enter")
    banner = page.get_by_role("region", name="Emergency access")
    expect(banner).to_contain_text("minutes more")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Glass")
    tab_to(page, "form[action$='/break-glass/end/'] button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/patients/")
    answer = page.goto(f"/patients/{patient}/")
    assert answer and answer.status == 403


def test_an_officer_judges_without_a_script(page_as: Callable[..., Page]) -> None:
    patient = restricted_patient(page_as(ADMIN).request)
    doctor = page_as(DOCTOR, java_script_enabled=False)
    doctor.goto(f"/patients/{patient}/")
    doctor.get_by_label("What for").select_option("safeguarding")
    doctor.get_by_label("Reason").fill(REASON)
    doctor.get_by_role("button", name="Open the record").click()
    doctor.get_by_role("button", name="End now").click()
    page = page_as(OFFICER, java_script_enabled=False)
    page.goto("/oversight/unusual-access/")
    page.get_by_role("link", name="Emergency access").click()
    page.get_by_role("link", name="Judge").last.click()
    expect(page.locator("main")).to_contain_text(REASON)
    page.get_by_label("Not justified").check()
    page.get_by_role("button", name="Note the verdict").click()
    expect(page.locator("#form-errors")).to_contain_text("Say why it was not justified")
    page.get_by_label("Note", exact=True).fill("The patient was seen by a colleague already.")
    page.get_by_role("button", name="Note the verdict").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Emergency access")
    page.goto("/oversight/emergency-access/?show=all")
    expect(page.locator("main")).to_contain_text("The patient was seen by a colleague already.")
