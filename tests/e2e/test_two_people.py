"""Two people at one patient, each in a browser of their own, with JavaScript and without."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NARROW
from tests.e2e.desk import Api
from tests.e2e.looks import violations


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_the_second_is_told_sees_the_difference_and_loses_nothing(scripts: bool, page_as: Callable[..., Page]) -> None:
    first, second = page_as(), page_as("nurse@riverside.demo", java_script_enabled=scripts)
    patient = Api(first).patient(address={"city": "Bath", "region": "Avon"}, notes="Old", email="old@example.com")
    where = f"/patients/{patient['id']}/edit/"
    for page in (first, second):
        page.goto(where)
    second.get_by_label("Town or city").fill("Wells")
    second.get_by_label("Region").fill("Somerset")
    first.get_by_label("Town or city").fill("Frome")
    first.get_by_role("textbox", name="E-mail").fill("new@example.com")
    first.get_by_role("button", name="Save").last.click()
    first.wait_for_url(lambda url: url.endswith(f"/{patient['id']}/"))
    second.get_by_role("button", name="Save").last.press("Enter")

    told = second.get_by_role("alert").filter(has_text="Somebody changed this record meanwhile")
    expect(told).to_be_visible()
    if scripts:
        expect(told).to_be_focused()
        assert not violations(second)
        second.set_viewport_size(NARROW)  # type: ignore[arg-type]
        assert second.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    expect(told).to_contain_text("“old@example.com” became “new@example.com”")
    expect(told).to_contain_text("“Avon” becomes “Somerset”")
    expect(told.get_by_text("Theirs: Frome")).to_be_visible()
    expect(second.get_by_label("Town or city")).to_have_value("Wells")
    told.get_by_label("Yours: Wells").press("Space")
    told.get_by_role("button", name="Save").press("Enter")
    second.wait_for_url(lambda url: url.endswith(f"/{patient['id']}/"))

    kept = Api(first).get(f"patients/{patient['id']}")
    assert (kept["address"]["city"], kept["address"]["region"], kept["email"]) == ("Wells", "Somerset", "new@example.com")
