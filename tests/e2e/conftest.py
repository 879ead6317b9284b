"""A real browser before a real server with the demo's data."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PASSWORD = "Clinic-Day-2026"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 320, "height": 720}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-background-networking"]}


@pytest.fixture
def page_as(browser: Browser, server: Any) -> Callable[..., Page]:
    """page_as("receptionist@riverside.demo", **context options) -> a page of a browser of its own, signed in."""
    opened = []

    def opens(email: str | None = "receptionist@riverside.demo", **options: Any) -> Page:
        context = browser.new_context(base_url=server.url, **{"viewport": WIDE, "locale": "en-GB", **options})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        if email:
            page.goto("/sign-in/")
            page.get_by_label("E-mail").fill(email)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(lambda url: "/sign-in/" not in url)
        return page

    yield opens
    for context in opened:
        context.close()
