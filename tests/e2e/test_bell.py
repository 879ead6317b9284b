"""The bell and the dashboard of jobs in the browser: by keyboard, without a script, and live without taking anything away."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.addresses import an_access
from tests.e2e.conftest import RETRIES
from tests.e2e.looks import in_every_look
from tests.e2e.test_break_glass import tab_to
from tests.factories.server import Server

ADMIN, OFFICER = "clinic-admin@riverside.demo", "compliance-officer@riverside.demo"
COMES_BACK = "document.dispatchEvent(new Event('visibilitychange'))"  # as when the tab is seen again: what is live asks at once
RUNNING = """
INSERT INTO core_job (id, kind, queue, workers, priority, state, in_clinic, payload, dedupe_key, after, run_at, attempts,
    attempts_allowed, claim, worker, lease_until, progress, sentence, cause, sends, request_id, created_at, started_at)
SELECT %s, 'keys.follow_marks', 'privacy', 'bulk', 6, 'running', id, '{}', '', '{}', now(), 1,
    5, gen_random_uuid(), 'w', now() + interval '1 hour', 10, '1 of 10', '', 1, '', now(), now()
FROM core_clinic WHERE slug = 'riverside'
"""
WRITTEN = """
INSERT INTO core_patientmessage (id, clinic_id, patient_id, kind, template, language,
    channels, channel, state, cause, words, written_at, due_at)
SELECT gen_random_uuid(), id, %s, 'reminder', 'appointment_reminder', 'en',
    '{email}', 'email', 'waiting', '', '', now(), now() FROM core_clinic WHERE slug = 'riverside'
"""


@pytest.fixture
def running(server: Server) -> Iterator[str]:
    """The id of a job that runs, as the database has it."""
    key = str(uuid4())
    with server.connect() as connection:
        connection.execute(RUNNING, [key])
    yield key
    with server.connect() as connection:
        connection.execute("DELETE FROM core_job WHERE id = %s", [key])


def test_the_number_comes_by_itself_and_the_panel_leads_on_by_keyboard(page_as: Callable[..., Page]) -> None:
    page = page_as(OFFICER)
    page.goto("/notifications/")
    if (everything := page.get_by_role("button", name="Mark all as read")).count():
        everything.click()
    number = page.locator("#unread b")
    expect(number).to_have_count(0)
    an_access("", page_as(ADMIN).request)
    page.evaluate(COMES_BACK)
    expect(number).to_have_text("1")
    tab_to(page, "[data-bell]")
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Notifications")
    expect(panel.get_by_role("button", name="A restricted record was opened").first).to_be_visible()
    assert not in_every_look(page)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("[data-bell]")).to_be_focused()
    page.keyboard.press(" ")
    expect(panel).to_be_visible()
    expect(panel.locator("h3 button").first).to_be_visible()
    tab_to(page, "#told h3 button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/oversight/emergency-access/*/")
    expect(page.locator("[data-bell]")).to_have_accessible_name("Notifications")


def test_without_a_script_the_bell_is_a_link(page_as: Callable[..., Page]) -> None:
    an_access("", page_as(ADMIN).request)
    page = page_as(OFFICER, java_script_enabled=False)
    page.goto("/oversight/unusual-access/")
    page.get_by_role("link", name="Notifications").click()
    page.get_by_role("button", name="A restricted record was opened").first.click()
    page.wait_for_url("**/oversight/emergency-access/*/")
    page.goto("/notifications/")
    if (everything := page.get_by_role("button", name="Mark all as read")).count():
        everything.click()
    page.goto("/notifications/?show=unread")
    expect(page.get_by_role("heading", name="You have read everything")).to_be_visible()


def test_the_dashboard_moves_and_leaves_the_focus_where_it_is(page_as: Callable[..., Page], server: Server, running: str) -> None:
    page = page_as(ADMIN)
    page.goto("/queue-dashboard/")
    bar = page.locator("progress").first
    expect(bar).to_have_attribute("value", "10")
    assert not in_every_look(page)
    page.locator(f"#cancel-{running}").focus()
    with server.connect() as connection:
        connection.execute("UPDATE core_job SET progress = 70, sentence = '7 of 10' WHERE id = %s", [running])
    expect(bar).to_have_attribute("value", "70")
    expect(page.get_by_text("7 of 10")).to_be_visible()
    expect(page.locator(f"#cancel-{running}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The job is cancelled")).to_be_visible()
    expect(page.locator(f"#cancel-{running}")).to_have_count(0)


def test_halted_it_stays_as_it_is(page_as: Callable[..., Page], server: Server, running: str) -> None:
    page = page_as(ADMIN)
    page.goto("/queue-dashboard/", wait_until="networkidle")
    page.get_by_label("Live").uncheck()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with server.connect() as connection:
        connection.execute("UPDATE core_job SET progress = 50 WHERE id = %s", [running])
    with page.expect_request("**/notifications/unread/"):  # the bell asks, so the turn has come
        page.evaluate(COMES_BACK)
    assert not [url for url in asked if "queue-dashboard" in url]
    page.get_by_label("Live").check()
    page.evaluate(COMES_BACK)
    expect(page.locator("progress").first).to_have_attribute("value", "50")


def test_old_figures_say_that_they_are_old(page_as: Callable[..., Page], running: str) -> None:
    page = page_as(ADMIN)
    page.goto("/queue-dashboard/")
    page.route("**/queue-dashboard/**", lambda route: route.abort())
    page.evaluate(COMES_BACK)
    expect(page.get_by_text("These figures are old")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)
    page.unroute_all()
    page.evaluate(COMES_BACK)
    expect(page.get_by_text("These figures are old")).to_be_hidden()


def test_a_patient_s_messages_come_by_themselves(page_as: Callable[..., Page], server: Server) -> None:
    page = page_as(ADMIN)
    patient = page.request.get("/api/v2/patients?limit=1", max_retries=RETRIES).json()["data"][0]["id"]
    page.goto(f"/patients/{patient}/messages/")
    shown = page.locator("#messages li").count()
    with server.connect() as connection:
        connection.execute(WRITTEN, [patient])
    page.evaluate(COMES_BACK)
    expect(page.locator("#messages li")).to_have_count(shown + 1)
    expect(page.locator("#messages .pill").first).to_contain_text("Waiting")
