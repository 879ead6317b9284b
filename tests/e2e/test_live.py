"""Windows that are open at the same time show the same day, whoever changes it, also after a time without a network."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from appointments.pages.today import SHOWN_EXPECTED
from tests.e2e.conftest import SHOWS_WITHIN_MS
from tests.e2e.desk import Api, on_the_board, where_the_day_is_long
from tests.e2e.looks import violations
from tests.factories.queue import board_of
from tests.factories.server import Server

SOON = SHOWS_WITHIN_MS  # a second is the promise on a machine that has nothing else to do; without the stream it is a minute
SOON_ON_BOARD = 9_000  # ms; without the stream it is ten seconds
CUT = 10_000  # ms without a network
BOARD = {"width": 1920, "height": 1080}
WAITS_THERE = re.compile(r"^[A-Z]\d{3}$")
EXPECTED, WAITING = "section[aria-labelledby=l-expected] li", "section[aria-labelledby=l-waiting]"


def is_live(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-connection", "live")


def check_in(page: Page, visit_id: str = "") -> str:
    """Press the button of somebody who is expected, the first unless a visit is named; their name."""
    buttons = page.locator(EXPECTED).get_by_role("button", name=re.compile("Check in"))
    button = on_the_board(page, visit_id or visit_of(buttons.first))
    name = page.locator(EXPECTED).filter(has=button).get_by_role("link").first.inner_text()
    button.click()
    expect(page.locator(EXPECTED).locator(button)).to_have_count(0)  # their name may stand there for another visit
    expect(page.locator(WAITING)).to_contain_text(name)
    return name


def visit_of(button: Locator) -> str:
    return str(button.get_attribute("id")).removeprefix("step-")


def waits(page: Page, name: str) -> None:
    expect(page.locator(WAITING)).to_contain_text(name, timeout=SOON)


@pytest.fixture
def today(page_as: Callable[..., Page]) -> Callable[..., Page]:
    def opens(email: str = "") -> Page:
        page = page_as(email or where_the_day_is_long())
        page.goto("/")
        is_live(page)
        return page

    return opens


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(name))


def test_a_check_in_shows_in_the_other_window_and_disturbs_nobody(today: Callable[..., Page]) -> None:
    first, second = today(), today("doctor@" + where_the_day_is_long().partition("@")[2])
    api = Api(first)
    for _ in range(3):  # soon after the clinic has opened fewer are expected
        api.visit(api.patient(), today=True)
    second.reload()
    is_live(second)
    second.locator("a.rest[href*='#more-expected']").click()
    is_live(second)
    rows = second.locator(EXPECTED)
    expected = rows.count()
    theirs = rows.filter(has=button(second, "Check in")).nth(4)
    theirs.get_by_role("button").focus()
    kept = second.evaluate("document.activeElement.id")
    second.locator("#q").evaluate("box => { box.value = 'half a na'; }")
    second.evaluate("scrollTo(0, 120)")
    name = check_in(first)
    waits(second, name)
    assert second.evaluate("document.activeElement.id") == kept
    assert second.evaluate("scrollY") == 120
    expect(second.locator("#q")).to_have_value("half a na")
    assert rows.count() == expected - 1 > SHOWN_EXPECTED
    assert not violations(second)


def test_whoever_presses_on_a_phone_stays_where_they_are(page_as: Callable[..., Page]) -> None:
    page = page_as(where_the_day_is_long(), viewport={"width": 390, "height": 844})
    page.goto("/")
    is_live(page)
    fourth = page.locator(EXPECTED).get_by_role("button", name=re.compile("Check in")).nth(3)
    fourth.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    assert before > 300
    check_in(page, visit_of(fourth))
    page.wait_for_function("() => !('swapping' in document.documentElement.dataset)")
    assert abs(page.evaluate("scrollY") - before) < 300  # a lane or two have changed their height


def test_the_calendar_is_live_too(today: Callable[..., Page]) -> None:
    first, second = today(), today()
    second.goto("/calendar/")
    is_live(second)
    name = first.locator(EXPECTED).filter(has=button(first, "Check in")).first.get_by_role("link").first.inner_text()
    event = second.locator(".event").filter(has_text=name).first
    expect(event).not_to_have_attribute("data-tone", "warn")
    check_in(first)
    expect(event).to_have_attribute("data-tone", "warn", timeout=SOON)


def test_the_tabs_of_a_browser_share_one_stream_and_hand_it_on(today: Callable[..., Page]) -> None:
    streams: list[str] = []

    def note(request: Request) -> None:
        if "/api/v2/events" in request.url:
            streams.append(request.url)

    elsewhere, one = today(), today()
    one.context.on("request", note)
    tabs = [one.context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.goto("/")
        is_live(tab)
    assert streams == []
    waits(tabs[2], check_in(elsewhere))
    one.close()
    is_live(tabs[0])
    waits(tabs[0], check_in(elsewhere))
    waits(tabs[2], check_in(elsewhere))
    assert len(streams) == 1 and "last_event_id=" in streams[0]


def test_what_happened_without_a_network_is_there_afterwards(today: Callable[..., Page]) -> None:
    first, second = today(), today()
    second.context.set_offline(True)
    banner = second.get_by_role("alert").filter(has_text="What you see is from")
    expect(banner).to_be_visible()
    expect(second.locator("#live")).to_have_text("Offline")
    missed = [check_in(first), check_in(first)]
    assert not violations(second)
    second.context.set_offline(False)
    for name in missed:
        waits(second, name)
    expect(banner).to_be_hidden()
    is_live(second)


def test_three_windows_miss_nothing_when_the_network_is_cut(
    today: Callable[..., Page], page_as: Callable[..., Page], server: Server
) -> None:
    """Reception, doctor and the waiting room's board: a check-in shows in all, also one during ten seconds without a network."""
    api = Api(today())
    place, (first, *others) = three_expected(api)
    with server.connect() as connection:  # an early patient would wait out of the board's sight until it is time
        connection.execute("UPDATE appointments_appointment SET is_urgent = true WHERE status IN ('pending', 'confirmed')")
    desk, doctor = today(), today("doctor@" + where_the_day_is_long().partition("@")[2])
    call_everybody(api, place)
    with server.connect() as connection:
        _screen, path = board_of(connection, place)
    board = page_as(None, viewport=BOARD)
    board.goto(path)
    shown = board.locator("[data-next] [data-token]")
    expect(shown.first).to_have_text("")

    waits(doctor, check_in(desk, first))
    expect(shown.first).to_have_text(WAITS_THERE, timeout=SOON_ON_BOARD)

    doctor.locator("#q").press_sequentially("half a na")
    for page in (doctor, board):
        page.context.set_offline(True)
    missed = [check_in(desk, one) for one in others]
    expect(doctor.locator("#live")).to_have_text("Offline")
    doctor.wait_for_function(
        f"began => performance.now() > began + {CUT}", arg=doctor.evaluate("performance.now()"), timeout=2 * CUT
    )
    expect(shown.nth(1)).to_have_text("")
    for page in (doctor, board):
        page.context.set_offline(False)
    for name in missed:
        waits(doctor, name)
    expect(shown.nth(2)).to_have_text(WAITS_THERE, timeout=SOON_ON_BOARD)
    expect(doctor.locator("#q")).to_have_value("half a na")


def call_everybody(api: Api, place: UUID) -> None:
    """Until nobody waits there."""
    for one in api.get(f"queue?location={place}&status=waiting&limit=100"):
        api.post(f"queue/{one['id']}/call", {})


def three_expected(api: Api) -> tuple[UUID, list[str]]:
    """A location, and visits of three who are expected there today."""
    service, place, visits = api.service(), "", list[str]()
    while len(visits) < 3:
        free = api.get(f"slots?service={service}" + (f"&location={place}" if place else ""))[1]
        place = free["location"]["id"]
        visits.append(api.book(api.patient(), service, free["start"], free["provider"]["id"], place)["id"])
    return UUID(place), visits
