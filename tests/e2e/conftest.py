"""A real browser before a real server with the demo's data."""

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from core.accounts.proofs import PROVED_SECONDS
from tests.factories.callers import PASSWORD
from tests.factories.server import Server

# The first is the same browser without what draws windows, which is the larger part of the work.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
ACTION_MS = 60_000  # for an action: a busy machine may be slow
SHOWS_WITHIN_MS = 20_000  # for what is expected to show: less than a page takes to ask by itself
RETRIES = 2  # a connection kept open may be closed by the server just as it is used again
LISTEN = """document.addEventListener('securitypolicyviolation', event => console.error(
  `Content Security Policy: ${event.effectiveDirective} refused ${event.blockedURI} (${event.sourceFile}:${event.lineNumber})`))"""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 320, "height": 720}
expect.set_options(timeout=SHOWS_WITHIN_MS)


@pytest.hookimpl(tryfirst=True)  # before the groups are read, also when only tests of this folder are asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group(f"browser {item.path.stem}"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox", "--disable-background-networking"]}


def watch(context: BrowserContext, refused: list[str]) -> None:
    """Write down what the content security policy refuses on any page of this context."""

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error" and "Content Security Policy" in message.text:
            refused.append(f"{message.page.url if message.page else ''}: {message.text}")

    context.add_init_script(LISTEN)
    context.on("console", heard)


@pytest.fixture(autouse=True)
def refused() -> Iterator[list[str]]:
    """What the content security policy refused on the test's pages: nothing, else the test fails.

    A test that provokes a refusal looks at it here and takes it out.
    """
    found: list[str] = []
    yield found
    assert not found, "\n".join(found)


@pytest.fixture(scope="session")
def signed_in(browser: Browser, server: Server) -> Callable[[str], Any]:
    """signed_in(email) -> the browser state of that person; each signs in once, and again before HMS asks for the password anew."""
    states: dict[str, Any] = {}
    since: dict[str, float] = {}

    def state_of(email: str) -> Any:
        if time.monotonic() > since.get(email, -PROVED_SECONDS) + PROVED_SECONDS / 2:
            since[email] = time.monotonic()
            context: BrowserContext = browser.new_context(base_url=server.url)
            context.set_default_timeout(ACTION_MS)
            refused: list[str] = []
            watch(context, refused)
            page = context.new_page()
            page.goto("/sign-in/")
            page.get_by_label("E-mail").fill(email)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(lambda url: "/sign-in/" not in url)
            states[email] = context.storage_state()
            context.close()
            assert not refused, refused
        return states[email]

    return state_of


@pytest.fixture
def page_as(browser: Browser, server: Server, signed_in: Callable[[str], Any], refused: list[str]) -> Iterator[Callable[..., Page]]:
    """page_as("receptionist@riverside.demo", **context options) -> a page of a browser of its own, signed in."""
    opened = []

    def opens(email: str | None = "receptionist@riverside.demo", **options: Any) -> Page:
        state = signed_in(email) if email else None
        context = browser.new_context(base_url=server.url, storage_state=state, **{"viewport": WIDE, "locale": "en-GB", **options})
        opened.append(context)
        context.set_default_timeout(ACTION_MS)
        watch(context, refused)
        return context.new_page()

    yield opens
    for context in opened:
        context.close()
