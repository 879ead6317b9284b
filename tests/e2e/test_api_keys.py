"""An administrator makes, copies and ends a key, by keyboard and without scripts."""

import re
from collections.abc import Callable

from playwright.sync_api import Page

from tests.e2e.looks import in_every_look
from tests.e2e.test_every_page import ADMIN
from tests.factories.callers import PASSWORD
from tests.factories.server import Server

SHAPE = re.compile(r"hms_[0-9a-f]{32}_[0-9a-f]{40}")


def fill_in(page: Page, name: str) -> None:
    page.goto("/settings/api-keys/make/")
    if "/account/confirm/" in page.url:
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/settings/api-keys/make/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Read (Patients and consents)").check()


def test_by_keyboard_from_making_to_ending(page_as: Callable[..., Page], server: Server) -> None:
    page = page_as(ADMIN, permissions=["clipboard-read", "clipboard-write"])
    fill_in(page, "Recall system")
    page.get_by_role("button", name="Make the key").press("Enter")
    shown = page.locator("#new-key")
    shown.wait_for()
    key = shown.inner_text()
    assert SHAPE.fullmatch(key)
    page.get_by_role("button", name="Copy").press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_role("link", name="I have kept it").press("Enter")
    page.wait_for_url("**/settings/api-keys/")  # and its scripts are there
    page.get_by_role("link", name="End Recall system").press("Enter")
    dialog = page.get_by_role("dialog", name="End the key “Recall system”?")
    dialog.get_by_role("button", name="Keep it").press("Enter")
    assert not dialog.is_visible()
    page.get_by_role("link", name="End Recall system").press("Enter")
    dialog.get_by_role("button", name="End the key").press("Enter")
    page.get_by_text("Recall system: the key is ended").wait_for()
    assert page.get_by_role("link", name="End Recall system").count() == 0


def test_without_scripts(page_as: Callable[..., Page]) -> None:
    page = page_as(ADMIN, java_script_enabled=False)
    fill_in(page, "Plain system")
    page.get_by_role("button", name="Make the key").click()
    assert SHAPE.fullmatch(page.locator("#new-key").inner_text())
    assert not page.get_by_role("button", name="Copy").is_visible()
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("link", name="End Plain system").click()
    page.get_by_role("button", name="End the key").click()
    assert page.get_by_role("link", name="End Plain system").count() == 0


def test_axe_finds_nothing_where_the_key_is_shown(page_as: Callable[..., Page]) -> None:
    page = page_as(ADMIN)
    fill_in(page, "Seen by axe")
    page.get_by_role("button", name="Make the key").click()
    page.locator("#new-key").wait_for()
    found = in_every_look(page)
    assert not found, "\n".join(found)
