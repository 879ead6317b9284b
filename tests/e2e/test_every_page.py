"""Every page, walked from the URL conf: accessible, within its budget, quiet, and usable at 320 pixels."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.e2e.addresses import FILLED, address, page_routes
from tests.e2e.conftest import RETRIES
from tests.e2e.looks import OF_COLOURS, in_every_look, violations
from tests.factories.patience import eventually
from tests.factories.routes import Route

pytestmark = pytest.mark.thorough

FIRST_VISIT, LATER_VISIT, MOST_REQUESTS = 60 * 1024, 15 * 1024, 8
MOST_SHIFT = 0.01
ADMIN = "clinic-admin@riverside.demo"
SHIFTS = """() => new Promise(done => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value;
  })
    .observe({type: "layout-shift", buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


def by_path(route: Route) -> str:
    return route.path


def page_for(route: Route, page_as: Callable[..., Page], **options: Any) -> tuple[Page, str]:
    """A browser of somebody who may see the page, and its address. Skips what is no page of its own."""
    page = page_as(None if route.path == "/sign-in/" else ADMIN, **options)
    where = address(route, page.request)
    answer = page.request.get(where, max_redirects=0, max_retries=RETRIES)
    if answer.status in (302, 303, 405) or b"<html" not in answer.body():
        pytest.skip("answers POST, sends elsewhere, or is a piece of a page")
    assert answer.status == 200, f"{where}: {answer.status}"
    assert b'class="empty"' not in answer.body() or route.path not in FILLED, f"{where}: nothing is on it"
    return page, where


class Traffic:
    """What a page loads, by the browser's own count of bytes on the wire. What it fetches anew while it is open is left out."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self.bytes = 0
        self._live: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda event: self._asked(event["requestId"], event["request"]))
        session.on("Network.loadingFinished", lambda event: self._came(event["requestId"], event["encodedDataLength"]))

    def _asked(self, number: str, request: dict[str, Any]) -> None:
        if _is_live(request):
            self._live.add(number)
        elif not request["url"].startswith("data:"):
            self.urls.append(request["url"])

    def _came(self, number: str, size: float) -> None:
        if number not in self._live:
            self.bytes += int(size)

    def forget(self) -> None:
        self.urls.clear()
        self.bytes = 0


def _is_live(request: dict[str, Any]) -> bool:
    """The stream, and the part of a page that it has fetched anew: the page was complete before."""
    return "/api/v2/events" in request["url"] or (request["headers"].get("HX-Request") == "true" and "unread" not in request["url"])


@pytest.mark.parametrize("route", page_routes(), ids=by_path)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(route: Route, page_as: Callable[..., Page]) -> None:
    page, where = page_for(route, page_as)
    found = in_every_look(page, lambda: page.goto(where))
    assert not found, "\n".join(found)


def test_axe_sees_a_colour_that_is_wrong_in_the_dark_alone(page_as: Callable[..., Page]) -> None:
    page = page_as(None, bypass_csp=True)
    page.goto("/sign-in/")
    page.add_style_tag(content="@media (prefers-color-scheme: dark) { label { color: #333 !important } }")
    page.emulate_media(color_scheme="light")
    assert not violations(page)
    page.emulate_media(color_scheme="dark")
    assert [one.split()[0] for one in violations(page, *OF_COLOURS)] == ["color-contrast"]


@pytest.mark.parametrize("route", page_routes(), ids=by_path)
def test_page_budget_and_quiet(route: Route, page_as: Callable[..., Page]) -> None:
    page, where = page_for(route, page_as)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    traffic = Traffic(page)
    cdp = page.context.new_cdp_session(page)
    cdp.send("Network.clearBrowserCache")
    page.goto(where, wait_until="networkidle")
    hosts = {urlsplit(url).netloc for url in traffic.urls}
    assert hosts == {urlsplit(page.url).netloc}, "a request to another host"
    assert len(traffic.urls) <= MOST_REQUESTS, traffic.urls
    assert traffic.bytes <= FIRST_VISIT, f"first visit {traffic.bytes} bytes"
    assert page.evaluate(SHIFTS) < MOST_SHIFT, "the layout shifted"
    traffic.forget()
    page.goto(where, wait_until="networkidle")
    assert traffic.bytes <= LATER_VISIT, f"later visit {traffic.bytes} bytes"
    assert not complaints, complaints


def test_what_a_page_fetches_anew_is_no_part_of_its_budget(page_as: Callable[..., Page]) -> None:
    page = page_as(ADMIN)
    page.goto("/calendar/", wait_until="networkidle")
    traffic = Traffic(page)
    for headers in ({"HX-Request": "true"}, {}):
        with page.expect_request_finished(lambda one: urlsplit(one.url).path == "/calendar/"):
            page.evaluate("headers => fetch('/calendar/', {headers}).then(answer => answer.text())", headers)
    eventually(lambda: page.title() and traffic.bytes)
    assert [urlsplit(url).path for url in traffic.urls] == ["/calendar/"]
    assert 0 < traffic.bytes < LATER_VISIT


@pytest.mark.parametrize(
    "attempt",
    [
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\\'window.ran = 1\\'>')",
        "document.body.insertAdjacentHTML('beforeend', '<b style=\\'color: red\\'>x</b>')",
        "const s = document.createElement('style'); s.textContent = 'b { color: red }'; document.head.append(s)",
        "const f = document.createElement('iframe'); f.src = 'data:text/html,x'; document.body.append(f)",
        "fetch('https://elsewhere.example/').catch(() => 0)",
    ],
)
def test_what_is_inline_or_elsewhere_is_refused_and_seen(page_as: Callable[..., Page], refused: list[str], attempt: str) -> None:
    """The same hook fails every other browser test in which the policy refuses anything."""
    page = page_as()
    page.goto("/styleguide/")
    page.evaluate("() => document.addEventListener('securitypolicyviolation', () => { window.refusals = 1; })")
    page.evaluate(f"() => {{ {attempt}; }}")
    page.wait_for_function("() => window.refusals > 0")
    assert page.evaluate("window.ran") is None
    assert refused
    refused.clear()
