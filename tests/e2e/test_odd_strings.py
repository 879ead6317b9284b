"""Odd but legitimate text on every page, the administration's too: shown as it was typed, and nothing of it becomes markup."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from playwright.sync_api import Page, expect

from tests.attack.odd_strings import LINES, MARKUP, TEMPLATES, packed
from tests.attack.test_odd_strings import CHANGES, nested, takes_words
from tests.e2e.addresses import address, page_routes
from tests.e2e.conftest import RETRIES
from tests.e2e.desk import Api
from tests.e2e.test_policy import walked
from tests.factories.openapi import Operation, fields_of

pytestmark = pytest.mark.thorough

ADMIN = "clinic-admin@hillcrest.demo"  # the other browser tests work in the other clinic
ROWS = 40
JOINT = " <b data-odd>⁂ "
TEXTS = list(dict.fromkeys((*MARKUP, *TEMPLATES, *LINES)))
# Calls out when something typed became an element, ran, or asked: at once on load, and with every later swap.
WATCH = """(() => {
  const odd = '[data-odd], odd-element, x-odd';
  const look = () => {
    const found = document.querySelectorAll(odd);
    if (found.length) console.error(`ODD ${found.length} elements, the first: ${found[0].outerHTML.slice(0, 200)}`);
    if (window.odd !== undefined) console.error('ODD a script ran');
  };
  document.addEventListener('DOMContentLoaded', () => {
    look();
    new MutationObserver(look).observe(document, {childList: true, subtree: true, attributes: true, attributeFilter: ['data-odd']});
  });
  window.addEventListener('load', look);
})()"""


@pytest.fixture
def odd_page(page_as: Callable[..., Page]) -> Any:
    """A page of an administrator in a clinic where everything is called oddly; fails when anything odd came to life."""
    page, heard = page_as(ADMIN), list[str]()
    page.context.add_init_script(WATCH)
    page.context.on("console", lambda message: heard.append(message.text) if message.text.startswith("ODD") else None)
    page.context.on("dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.context.on("weberror", lambda error: heard.append(str(error.error)))
    furnish(page)
    yield page
    assert not heard, "\n".join(heard)


def furnish(page: Page) -> None:
    """Everything that can be called something by a PATCH gets odd texts, many to a value. Done once."""
    api = Api(page)
    if any("⁂" in one["name"] for one in api.get("providers")):
        return
    for operation in CHANGES:
        noun = operation.path.removeprefix("/api/v2/").partition("/")[0]
        values = words(operation)
        for number, row in enumerate(api.get(f"{noun}?limit={ROWS}") if values else []):
            body = nested({name: texts[number % len(texts)] for name, texts in values.items()})
            answer = page.request.patch(
                f"/api/v2/{noun}/{row['id']}", data=body, headers={"X-CSRFToken": api.token}, max_retries=RETRIES
            )
            assert answer.ok or answer.status == 409, answer.text()


def words(operation: Operation) -> dict[str, list[str]]:
    fields = [field for field in fields_of(operation.body or {}) if takes_words(field)]
    return {field.name: packed(TEXTS, field.schema.get("maxLength", 4000), JOINT) for field in fields}


def test_nothing_typed_comes_to_life_on_any_page(odd_page: Page) -> None:
    seen = 0
    for route in page_routes():
        where = address(route, odd_page.request)
        answer = odd_page.request.get(where, max_redirects=0, max_retries=RETRIES)
        if answer.status == 200 and "attachment" not in answer.headers.get("content-disposition", ""):
            odd_page.goto(where)
            seen += "⁂" in (odd_page.text_content("body") or "")
    assert seen > 12, "the odd names stand on hardly any page"


@pytest.mark.slow
@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_nothing_typed_comes_to_life_in_the_administration(model: Any, odd_page: Page) -> None:
    if getattr(model, "table_kind", "platform") == "platform":
        pytest.skip("the platform's")
    walked(odd_page, model)


def test_names_are_shown_as_they_were_typed(odd_page: Page) -> None:
    for patient in Api(odd_page).get("patients?limit=6"):
        odd_page.goto(f"/patients/{patient['id']}/")
        shown = odd_page.text_content("main") or ""
        assert " ".join(patient["family_name"].split()) in " ".join(shown.split())
        odd_page.goto(f"/patients/{patient['id']}/edit/")
        for name in ("given_name", "family_name", "preferred_name"):
            assert odd_page.locator(f"[name={name}]").first.input_value() == patient[name]


def test_a_search_and_a_message_show_them_too(odd_page: Page) -> None:
    api = Api(odd_page)
    patient = next(one for one in api.get(f"patients?limit={ROWS}") if "bold" in one["family_name"])
    odd_page.goto("/patients/")
    odd_page.locator("main input[type=search]").first.fill("bold")
    odd_page.keyboard.press("Enter")
    expect(odd_page.locator("main")).to_contain_text(patient["mrn"])
    assert patient["family_name"].partition("⁂")[0].strip() in (odd_page.text_content("main") or "")
    service = api.get("services?limit=1")[0]
    odd_page.goto(f"/settings/services/{service['id']}/")
    odd_page.get_by_role("button", name="Save").click()
    expect(odd_page.locator("body")).to_contain_text(f"{service['name']} saved")
