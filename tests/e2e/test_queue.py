"""The waiting room in browsers: the desk calls, the board shows it for days, and the kiosk forgets who stood before it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import CDPSession, Page, Route, expect

from tests.e2e.desk import Api, where_the_day_is_long
from tests.e2e.looks import violations
from tests.factories.server import Server

ADMIN = "clinic-admin@riverside.demo"
BOARD = {"width": 1920, "height": 1080}


def screen(page_as: Callable[..., Page], kind: str) -> str:
    """The path of the first board or kiosk of the demo."""
    admin = page_as(ADMIN)
    admin.goto("/settings/queue/")
    found = re.search(rf"/{kind}/[^/\"<]+/", admin.content())
    assert found
    return found[0]


def board_place(api: Api) -> str:
    """The location of that screen: the first by name."""
    return str(min(api.get("locations"), key=lambda one: str(one["name"]))["id"])


def test_a_call_at_the_desk_shows_on_the_board(page_as: Callable[..., Page]) -> None:
    board, desk = page_as(None, viewport=BOARD), page_as()
    board.goto(screen(page_as, "board"))
    place = board_place(Api(desk))
    Api(desk).post("queue", {"location": place, "priority": "emergency"})
    desk.goto(f"/queue/?location={place}")
    first = re.search(r"[A-Z]\d{3}", desk.locator("#queue .tickets li").first.inner_text())
    assert first
    token = first[0]
    desk.locator("#call-next").focus()
    desk.keyboard.press("Enter")
    expect(board.locator(".calling [data-token]")).to_have_text(token)
    expect(desk.get_by_role("region", name="Called")).to_contain_text(token)
    came_in = desk.get_by_role("button", name=f"Came in {token}")
    came_in.press("Enter")
    desk.get_by_role("button", name=f"Finish {token}").press("Enter")
    expect(desk.get_by_role("region", name="Last done")).to_contain_text(token)
    expect(board.locator(".calling [data-token]")).not_to_have_text(token)
    for page in (desk, board):
        assert not violations(page)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_ticket_for_somebody_known_by_keyboard(page_as: Callable[..., Page], scripts: bool) -> None:
    desk = page_as(java_script_enabled=scripts)
    api = Api(page_as())
    patient = api.patient()
    desk.goto(f"/queue/take/?location={board_place(api)}")
    search = desk.get_by_label("Patient, if known")
    search.press_sequentially(str(patient["mrn"]))
    if not scripts:
        search.press("Enter")
    first = desk.get_by_role("group", name="Patients found").get_by_role("button").first
    expect(first).to_contain_text(str(patient["mrn"]))  # what was found for the half of it is gone
    first.press("Enter")
    expect(desk.locator(".chosen")).to_contain_text(str(patient["mrn"]))
    expect(desk.get_by_role("button", name="Take the ticket")).to_be_focused()
    desk.keyboard.press("Enter")
    expect(desk.locator("#queue")).to_contain_text(f"{patient['given_name']} {patient['family_name']}")
    if scripts:
        assert not violations(desk)


def test_the_keyboard_stays_in_the_queue_when_its_button_is_gone(page_as: Callable[..., Page]) -> None:
    desk = page_as()
    api = Api(desk)
    token = str(api.post("queue", {"location": board_place(api), "priority": "emergency"})["token"])
    desk.goto(f"/queue/?location={board_place(api)}")
    way = (("Let in", "Inside"), ("Put back", "Waiting"), ("Call", "Called"), ("Skip", "Did not come"), ("Let in", "Inside"))
    for word, lane in way:
        desk.get_by_role("button", name=f"{word} {token}", exact=True).press("Enter")
        expect(desk.get_by_role("region", name=lane)).to_contain_text(token)
        expect(desk.locator("#queue:focus, #queue :focus")).to_have_count(1)
    desk.get_by_role("button", name=f"Finish {token}").press("Enter")
    expect(desk.get_by_role("region", name="Last done")).to_contain_text(token)
    expect(desk.locator("#queue")).to_be_focused()
    desk.keyboard.press("Tab")
    expect(desk.locator("#call-next")).to_be_focused()


def test_a_dialog_is_not_taken_away_while_the_queue_asks_by_itself(page_as: Callable[..., Page]) -> None:
    desk = page_as(where_the_day_is_long())
    api = Api(desk)
    visit = api.visit(api.patient(), today=True)
    place = visit["location"]["id"]
    api.post(f"appointments/{visit['id']}/check-in", {})
    waiting = api.get(f"queue?location={place}&status=waiting&limit=100")
    token = next(str(one["token"]) for one in waiting if one["appointment"] == visit["id"])
    desk.route("**/api/v2/events**", lambda route: route.abort())  # no stream
    desk.clock.install(time=datetime.now(UTC))
    desk.goto(f"/queue/?location={place}")
    asked: list[Route] = []
    desk.route("**/queue/?**", lambda route: asked.append(route))
    with desk.expect_request("**/queue/?**"):
        desk.clock.run_for(10_500)
    opener = desk.get_by_role("link", name=f"Has left {token}")
    opener.press("Enter")
    dialog = desk.get_by_role("dialog")
    with desk.expect_response("**/queue/?**"):
        asked.pop().continue_()  # it was on its way when the dialog was opened
    desk.clock.run_for(31_000)
    expect(dialog).to_be_visible()
    assert not asked
    dialog.get_by_role("button", name="Keep it").press("Enter")
    expect(opener).to_be_focused()
    with desk.expect_request("**/queue/?**"):
        desk.clock.run_for(10_500)


def test_a_call_is_announced_once_and_every_call(page_as: Callable[..., Page], server: Server) -> None:
    """Two calls at once are both heard, in their order; who becomes the first row since another has gone in is not heard again."""
    board, desk = page_as(None, viewport=BOARD), page_as()
    api = Api(desk)
    place = board_place(api)
    with server.connect() as connection:
        connection.execute("UPDATE appointments_locationqueue SET has_voice = true WHERE location_id = %s", [place])
    board.add_init_script("window.spoken = []; speechSynthesis.speak = ({ text }) => spoken.push(text)")
    address = screen(page_as, "board")
    before, *tickets = [api.post("queue", {"location": place, "priority": "emergency"}) for _ in range(3)]
    api.post(f"queue/{before['id']}/call", {})
    with board.expect_response(lambda one: one.url.endswith("/now/") and one.ok and one.json()["voice"]):
        board.goto(address)
    expect(board.locator(".calling [data-token]")).to_have_text(str(before["token"]))  # shown, and not announced
    for ticket in tickets:
        api.post(f"queue/{ticket['id']}/call", {})
    board.wait_for_function("() => spoken.length >= 2")
    api.post(f"queue/{tickets[1]['id']}/leave", {})
    expect(board.locator(".calling [data-token]")).to_have_text(str(tickets[0]["token"]))
    api.post(f"queue/{tickets[0]['id']}/recall", {})
    board.wait_for_function("() => spoken.length >= 3")
    spelt = [re.sub(r"^([A-Z])0*", r"\1 ", str(one["token"])) for one in (before, *tickets)]
    said = [found for words in board.evaluate("spoken") for found in spelt if re.search(rf"{found}\b", words)]
    assert said == [spelt[1], spelt[2], spelt[1]]
    for ticket in (before, tickets[0]):
        api.post(f"queue/{ticket['id']}/leave", {})


def test_a_board_that_is_cut_off_says_so_and_comes_back(page_as: Callable[..., Page]) -> None:
    board = page_as(None, viewport=BOARD)
    board.clock.install(time=datetime.now(UTC))
    board.goto(screen(page_as, "board"))
    board.context.set_offline(True)
    board.clock.run_for(45_000)
    expect(board.locator("[data-stale]")).to_contain_text("Not current since")
    board.context.set_offline(False)
    with board.expect_response("**/now/"):
        board.clock.run_for(35_000)
    board.clock.run_for(1_100)
    expect(board.locator("[data-stale]")).to_be_hidden()


@pytest.mark.parametrize("events", [60, pytest.param(2_000, marks=pytest.mark.slow)])
def test_a_board_does_not_grow(page_as: Callable[..., Page], events: int) -> None:
    """A day by a fast clock: each call is shown, and page and memory stay as they were."""
    board, desk = page_as(None, viewport=BOARD), page_as()
    api, place = Api(desk), ""
    place = board_place(api)
    board.clock.install(time=datetime.now(UTC))
    board.goto(screen(page_as, "board"))
    ticket = api.post("queue", {"location": place, "priority": "emergency"})
    api.post(f"queue/{ticket['id']}/call", {})
    pace, devtools = 24 * 3_600_000 // events, board.context.new_cdp_session(board)
    with board.expect_response("**/now/"):
        board.clock.run_for(11_000)
    expect(board.locator(".calling [data-token]")).to_have_text(str(ticket["token"]))
    before = weight(devtools)
    for _ in range(events):
        api.post(f"queue/{ticket['id']}/recall", {})
        with board.expect_response("**/now/"):
            board.clock.fast_forward(pace)
    expect(board.locator(".calling [data-token]")).to_have_text(str(ticket["token"]))
    after = weight(devtools)
    api.post(f"queue/{ticket['id']}/leave", {})
    assert after["Nodes"] <= before["Nodes"] + 20 and after["JSEventListeners"] <= before["JSEventListeners"] + 5
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 2_000_000


def weight(devtools: CDPSession) -> dict[str, float]:
    devtools.send("Performance.enable")
    devtools.send("HeapProfiler.collectGarbage")
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_the_kiosk_gives_a_ticket_by_keyboard(page_as: Callable[..., Page], scripts: bool) -> None:
    kiosk = page_as(None, viewport={"width": 1080, "height": 1440}, java_script_enabled=scripts)
    kiosk.goto(screen(page_as, "kiosk"))
    if scripts:
        assert not violations(kiosk)
        kiosk.get_by_role("button", name="I have no visit").press("Enter")
    kiosk.get_by_role("button", name="Doctor or nurse").press("Enter")
    expect(kiosk.locator(".given .token")).to_have_text(re.compile(r"^A\d{3}$"))
    if scripts:
        assert not violations(kiosk)


def test_the_kiosk_begins_anew_and_holds_nothing_of_whoever_stood_there(page_as: Callable[..., Page]) -> None:
    kiosk = page_as(None, viewport={"width": 1080, "height": 1440})
    kiosk.clock.install(time=datetime.now(UTC))
    kiosk.goto(screen(page_as, "kiosk"))
    pages = kiosk.evaluate("history.length")
    kiosk.get_by_role("button", name="I have a visit").click()
    kiosk.get_by_label("Patient number").fill("RV-0000001")
    for name, value in (("Day", "1"), ("Month", "2"), ("Year", "1903")):
        kiosk.get_by_label(name).fill(value)
    kiosk.get_by_role("button", name="Check in").click()
    expect(kiosk.get_by_role("alert")).to_contain_text("Please go to the reception desk")
    assert "RV-0000001" not in kiosk.content()
    with kiosk.expect_navigation():
        kiosk.clock.run_for(20_500)
    expect(kiosk.get_by_role("button", name="I have a visit")).to_be_visible()
    kiosk.get_by_role("button", name="I have a visit").click()
    expect(kiosk.get_by_label("Patient number")).to_have_value("")
    kiosk.get_by_label("Patient number").fill("half typed")
    with kiosk.expect_navigation():
        kiosk.clock.run_for(20_500)
    expect(kiosk.get_by_role("button", name="I have a code")).to_be_visible()
    assert kiosk.evaluate("history.length") == pages
    assert kiosk.evaluate("[...document.querySelectorAll('input:not([type=hidden])')].every(one => one.value === '')")
