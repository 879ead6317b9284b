"""Every way in, in a real browser: passkey, app, recovery code, a code that is sent, a new password; a session that ends midway."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from core.accounts.factors import app
from tests.e2e.conftest import ACTION_MS, WIDE, watch
from tests.e2e.desk import is_kept
from tests.factories.callers import PASSWORD
from tests.factories.letters import Letterbox, gateway, smtp_server
from tests.factories.server import Server, serving

pytestmark = pytest.mark.thorough

PHONE = "+442079460018"
CODE = r"\b(\d{6})\b"
HARDWARE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def mail() -> Iterator[Letterbox]:
    with smtp_server() as box:
        yield box


@pytest.fixture(scope="module")
def texts() -> Iterator[Letterbox]:
    with gateway() as box:
        yield box


@pytest.fixture(scope="module")
def house(django_db_setup: None, worker_id: str, mail: Letterbox, texts: Letterbox) -> Iterator[Server]:
    """A server whose letters and texts arrive here, by a name for which browsers allow passkeys."""
    variables = {
        "HMS_DEMO": "1", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(mail.port), "EMAIL_USE_TLS": "false",
        "HMS_SMS_GATEWAY_URL": f"http://127.0.0.1:{texts.port}/", "HMS_SMS_GATEWAY_TOKEN": "t",
    }  # fmt: skip
    with serving(f"ways_{worker_id}", commands=[["seed_demo"]], variables=variables, host="localhost") as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, house: Server, refused: list[str]) -> Iterator[Callable[[], Page]]:
    """visitor() -> a page of a browser of its own, with a fingerprint reader."""
    contexts = []

    def opens(**options: Any) -> Page:
        context = browser.new_context(base_url=house.url, **{"viewport": WIDE, "locale": "en-GB", **options})
        contexts.append(context)
        context.set_default_timeout(ACTION_MS)
        watch(context, refused)
        page = context.new_page()
        cdp = context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        cdp.send("WebAuthn.addVirtualAuthenticator", {"options": HARDWARE})
        return page

    yield opens
    for context in contexts:
        context.close()


def give_password(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=False).first.fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def give_code(page: Page, code: str) -> None:
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Sign in", exact=True).click()


def leave(page: Page) -> None:
    page.context.clear_cookies()


def is_in(page: Page) -> None:
    page.wait_for_url(lambda url: "/sign-in/" not in url)
    expect(page.get_by_role("button", name=re.compile("your menu"))).to_be_visible()


def code_in(box: Letterbox, address: str, after: int = 0) -> str:
    """The code in the first letter that has one; notices of new devices come between."""
    return re.findall(CODE, box.wait_for(address, after=after, saying=CODE)["text"])[0]


def now() -> int:
    return int(time.time()) // app.STEP


def set_up_app(page: Page) -> tuple[str, list[str]]:
    """From the Security page on; returns the key and the recovery codes."""
    page.get_by_role("link", name="Set up the app").click()
    key = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Code of the app").fill(app.code_at(key, now()))
    page.get_by_role("button", name="Set up", exact=True).click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    return key, page.locator(".recovery code").all_inner_texts()


def test_a_passkey_opens_the_account_alone_and_after_the_password(visitor: Callable[[], Page], mail: Letterbox) -> None:
    email = "nurse@riverside.demo"
    page = visitor()
    give_password(page, email)
    is_in(page)
    page.goto("/account/security/")
    page.get_by_label("Name").fill("Blue key")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Blue key")).to_be_visible()
    assert mail.wait_for(email, saying="Passkey was set up")
    leave(page)
    page.goto("/sign-in/?next=/account/security/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/account/security/")
    expect(page.get_by_text("last used")).to_be_visible()
    leave(page)
    give_password(page, email)
    page.get_by_role("button", name="Use a passkey").click()
    is_in(page)
    page.goto("/account/security/")
    page.get_by_role("button", name="Remove Blue key").click()
    expect(page.get_by_role("heading", name="Blue key")).to_have_count(0)
    leave(page)
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("This passkey does not open the account.")).to_be_visible()


def test_the_app_and_then_a_recovery_code(visitor: Callable[[], Page]) -> None:
    page = visitor()
    give_password(page, "doctor@riverside.demo")
    is_in(page)
    page.goto("/account/security/")
    key, codes = set_up_app(page)
    leave(page)
    give_password(page, "doctor@riverside.demo")
    give_code(page, "000000")
    expect(page.get_by_text("This code is wrong or has expired.")).to_be_visible()
    give_code(page, app.code_at(key, now() + 1))
    is_in(page)
    for _ in range(2):
        leave(page)
        give_password(page, "doctor@riverside.demo")
        give_code(page, codes[0].replace("-", " ").upper())
        if _ == 0:
            is_in(page)
    expect(page.get_by_text("This code is wrong or has expired.")).to_be_visible()


def test_a_code_by_text_message_comes_by_e_mail_when_the_gateway_fails(
    visitor: Callable[[], Page], mail: Letterbox, texts: Letterbox
) -> None:
    email = "receptionist@riverside.demo"
    page = visitor()
    give_password(page, email)
    is_in(page)
    page.goto("/account/security/code/")
    page.get_by_label("Text message (SMS)").check()
    page.get_by_label("Mobile number").fill("020 7946 0018")
    page.get_by_role("button", name="Send a code").click()
    page.get_by_label("Code that was sent").fill(code_in(texts, PHONE))
    page.get_by_role("button", name="Set up", exact=True).click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    leave(page)
    before = len(texts.arrived)
    give_password(page, email)
    give_code(page, code_in(texts, PHONE, before))
    is_in(page)
    leave(page)
    texts.refuse, before = 503, len(mail.arrived)
    try:
        give_password(page, email)
        give_code(page, code_in(mail, email, before))
        is_in(page)
    finally:
        texts.refuse = 0


def test_whose_role_demands_it_sets_one_up_before_anything_else(visitor: Callable[[], Page], house: Server) -> None:
    with house.connect() as connection:
        connection.execute("UPDATE core_clinic SET second_factor_roles = '{PHARMACIST}' WHERE slug = 'hillcrest'")
    page = visitor()
    give_password(page, "pharmacist@hillcrest.demo")
    page.wait_for_url("**/account/security/")
    expect(page.get_by_text("Your clinic asks for a second factor")).to_be_visible()
    page.goto("/patients/")
    page.wait_for_url("**/account/security/")
    set_up_app(page)
    page.goto("/patients/")
    expect(page.get_by_role("heading", name="Patients", exact=True)).to_be_visible()


def test_a_new_password_by_the_letter_s_link(visitor: Callable[[], Page], mail: Letterbox) -> None:
    email = "auditor@hillcrest.demo"
    page = visitor()
    page.goto("/sign-in/")
    page.get_by_role("link", name="Forgotten your password?").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("is on its way")).to_be_visible()
    link = re.search(r"http://localhost\S+", mail.wait_for(email, saying="new-password")["text"])
    assert link
    page.goto(link[0])
    page.get_by_label("New password").fill("Four-Words-Nobody-Guesses")
    page.get_by_role("button", name="Save the password").click()
    expect(page.get_by_text("Your password was changed.")).to_be_visible()
    give_password(page, email)
    expect(page.get_by_text("E-mail or password is wrong.")).to_be_visible()
    give_password(page, email, "Four-Words-Nobody-Guesses")
    is_in(page)
    page.goto(link[0])
    expect(page.get_by_text("This link is no longer good")).to_be_visible()


def fill_in(page: Page, family: str) -> None:
    page.goto("/patients/register/")
    form = page.locator("#record")
    with page.expect_response(lambda answer: is_kept(answer, "sex=female")):
        form.locator("[name=given_name]").fill("Mila")
        form.locator("[name=family_name]").fill(family)
        form.locator("[name=date_of_birth]").fill("1984-03-07")
        form.get_by_label("Female", exact=True).check()
    expect(page.locator(".htmx-request")).to_have_count(0)  # what typing sets off is answered: nothing of it is refused later


def end_all_sessions(house: Server) -> None:
    with house.connect() as connection:
        connection.execute("UPDATE core_authsession SET ended_at = now(), ended_reason = 'by_operator' WHERE ended_at IS NULL")


def is_registered(page: Page, family: str) -> None:
    page.wait_for_url(re.compile(r"/patients/[0-9a-f-]{36}/$"))
    expect(page.get_by_role("heading", name=re.compile(family))).to_be_visible()


def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing(visitor: Callable[[], Page], house: Server) -> None:
    email, family = "clinic-admin@riverside.demo", "Zwischenzeit"
    page = visitor()
    give_password(page, email)
    is_in(page)
    fill_in(page, family)
    end_all_sessions(house)
    page.locator("#record").get_by_role("button", name="Register", exact=True).click()
    dialog = page.get_by_role("dialog", name="Sign in again")
    expect(dialog.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type("doctor@hillcrest.demo")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("This page belongs to somebody else")).to_be_visible()
    dialog.get_by_label("E-mail").fill(email)
    dialog.get_by_label("Password").fill("wrong-wrong-wrong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("This page belongs to somebody else")).to_have_count(0)
    expect(dialog.get_by_role("alert")).to_be_visible()
    dialog.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    is_registered(page, family)


def test_a_session_ended_from_another_browser_asks_again_and_keeps_what_was_typed(visitor: Callable[[], Page]) -> None:
    email, family = "clinic-admin@riverside.demo", "Bedenkzeit"
    page, elsewhere = visitor(), visitor()
    for one in (page, elsewhere):
        give_password(one, email)
        is_in(one)
    fill_in(page, family)
    elsewhere.goto("/account/sessions/")
    elsewhere.get_by_role("button", name="End all others").press("Enter")
    expect(elsewhere.get_by_role("button", name="End all others")).to_have_count(0)
    dialog = page.get_by_role("dialog", name="Sign in again")
    page.locator("#record").get_by_role("button", name="Register", exact=True).click()
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#record [name=family_name]")).to_have_value(family)
    page.get_by_text("You were signed out. What you typed is still here.").wait_for()
    page.get_by_role("button", name="Try again").click()
    dialog.get_by_label("E-mail").fill(email)
    dialog.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    is_registered(page, family)
