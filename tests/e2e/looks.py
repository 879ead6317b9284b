"""What axe finds on a page, as wide and narrow, light and dark as people see it."""

from collections.abc import Callable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.conftest import NARROW, WIDE

OF_COLOURS = ("color-contrast", "link-in-text-block")  # the rules whose answer a colour scheme can change


def violations(page: Page, *rules: str) -> list[str]:
    """By these of axe's rules, or by all of them."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']} {[node['target'] for node in one['nodes']][:3]}" for one in found]


def in_every_look(page: Page, arrive: Callable[[], Any] = lambda: None) -> list[str]:
    """At both widths and in both schemes; and whether the page scrolls sideways. `arrive` loads it anew at each width.

    Leaves it wide and light.
    """
    found = []
    for viewport in (NARROW, WIDE):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        arrive()
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > viewport["width"]:
            found.append(f"{viewport['width']}: it is {width} pixels wide")
        found += [f"{viewport['width']}: {one}" for one in violations(page)]
        page.emulate_media(color_scheme="dark")
        found += [f"{viewport['width']}, dark: {one}" for one in violations(page, *OF_COLOURS)]
    page.emulate_media(color_scheme="light", reduced_motion="null")
    return found
