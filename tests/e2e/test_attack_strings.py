"""Every attack of the corpus, stored in every text field of patients and visits, and shown on the pages: nothing of it runs.

What the content security policy had to refuse would fail the test as well (tests/e2e/conftest.py): the pages escape.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.attack.corpus import attacks
from tests.e2e.addresses import page_routes
from tests.e2e.desk import Api, new_name
from tests.factories.openapi import fields_of, operations, resolved

CHECKED = {  # fields that take no free text
    *("phone", "phone_alt", "email", "sex", "blood_type", "postal_code", "country", "national_id", "policy_number", "language"),
    *("status", "time_of_day"),
}
LISTEN = """
window.ran = [];
for (const name of ['alert', 'prompt', 'confirm', 'print', 'msgbox']) window[name] = () => { window.ran.push(name); };
"""
PLANTED = """() => [...document.querySelectorAll(
    'iframe, object, embed, base, marquee, video, audio, math, isindex, noscript p, template script, body script:not([src]), '
    + '[onerror], [onload], [onclick], [onmouseover], [onfocus], [srcdoc], [ping], '
    + '[formaction^="javascript"], [href^="javascript"], img[src="x"], meta[http-equiv="refresh"]'
)].map(one => one.outerHTML.slice(0, 200))"""


def text_fields(path: str) -> dict[tuple[str, ...], int]:
    """The free text that a new record takes, from the API's document: field -> characters."""
    (operation,) = [one for one in operations() if one.method == "post" and one.path == path]
    body = resolved(operation.spec["requestBody"]["content"]["application/json"]["schema"])
    return {
        field.path: field.schema["maxLength"]
        for field in fields_of(body)
        if field.schema.get("type") == "string" and "maxLength" in field.schema and field.path[-1] not in CHECKED
    }


def packed(strings: list[str], room: int, *, lines: bool) -> str:
    """As many of the strings as fit, taken from the list. Only notes have lines, and may hold tabs."""
    taken: list[str] = []
    for text in list(strings):
        length = sum(map(len, taken)) + len(taken) + len(text)
        if length <= room and (lines or text.isprintable()):
            taken.append(text)
            strings.remove(text)
        if length > room and len(taken) > 3:
            break
    return ("\n" if lines else " ").join(taken)


def filled(fields: dict[tuple[str, ...], int], strings: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for path, room in fields.items():
        place = body
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = packed(strings, room, lines=path[-1] == "notes")
    return body


@pytest.fixture
def guarded(page_as: Callable[..., Page]) -> Iterator[Page]:
    page = page_as("clinic-admin@riverside.demo")
    dialogs: list[str] = []

    def close(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.context.add_init_script(LISTEN)
    page.on("dialog", close)
    yield page
    assert dialogs == []


def looked_at(page: Page, where: str, *, must_show: str = "") -> None:
    answer = page.goto(where)
    assert answer is not None and answer.status == 200, (where, answer and answer.status)
    if must_show:
        assert must_show in page.content().replace("&#x27;", "'"), where
    assert page.evaluate("window.ran") == [], where
    assert page.evaluate(PLANTED) == [], where


def test_no_stored_attack_runs_on_any_page(guarded: Page, browser: Browser) -> None:
    page, clinic = guarded, Api(guarded)
    groups = attacks()
    strings = [text for name in ("script", "markup", "template", "encoding") for text in groups.pop(name)]
    strings += [text for group in groups.values() for text in group]
    people, fields = [], text_fields("/api/v2/patients")
    assert len(fields) >= 10
    while strings:
        patient = clinic.patient(**filled(fields, strings))
        people.append((patient, clinic.visit(patient, today=not people)))
    assert len(people) <= 6
    for patient, visit in people:
        for route in page_routes():
            if route.parameters in (["patient_id"], ["visit_id"]) and not route.path.endswith(
                ("/undo/", "/reschedule/", "/cancel/", "/break-glass/end/")
            ):
                path = route.path.replace("{patient_id}", patient["id"]).replace("{visit_id}", visit["id"])
                looked_at(page, path)
    (patient, visit), *_ = people
    looked_at(page, f"/patients/{patient['id']}/", must_show="&lt;script&gt;alert(1)&lt;/script&gt;")
    for path in ("/", "/patients/", "/calendar/", "/calendar/week/", f"/appointments/{visit['id']}/cancel/"):
        looked_at(page, path)
    looked_at(page, f"/appointments/book/?patient={patient['id']}")
    looked_at(page, f"/admin/patients/patient/{patient['id']}/change/")
    looked_at(page, f"/admin/appointments/appointment/{visit['id']}/change/")
    looked_at(page, "/admin/patients/patient/")
    page.goto("/")
    page.locator("#q").press_sequentially(patient["mrn"])
    expect(page.get_by_role("option").filter(has_text=patient["mrn"]).first).to_be_visible()
    assert page.evaluate("window.ran") == []
    assert page.evaluate(PLANTED) == []


def test_the_listener_would_have_noticed(guarded: Page) -> None:
    """What the test above leans on: a script that did run, and markup that was planted, are seen."""
    guarded.goto("/styleguide/")
    guarded.evaluate("() => { alert(1); document.body.insertAdjacentHTML('beforeend', '<marquee>x</marquee>'); }")
    assert guarded.evaluate("window.ran") == ["alert"]
    assert guarded.evaluate(PLANTED) == ["<marquee>x</marquee>"]


def test_an_attack_that_is_typed_and_refused_is_shown_as_typed(guarded: Page) -> None:
    given, family = new_name()
    guarded.goto("/patients/register/")
    guarded.locator("[name=given_name]").fill(f"<img src=x onerror=alert(1)>{given}")
    guarded.locator("[name=family_name]").fill(f"</script><script>alert(1)</script>{family}")
    guarded.locator("[name=phone]").fill('"><svg onload=alert(1)>')
    guarded.get_by_role("button", name="Register", exact=True).click()
    expect(guarded.locator("[name=phone]")).to_have_attribute("aria-invalid", "true")  # the page has come back
    expect(guarded.locator("[name=given_name]")).to_have_value(f"<img src=x onerror=alert(1)>{given}")
    assert guarded.evaluate("window.ran") == []
    assert guarded.evaluate(PLANTED) == []
