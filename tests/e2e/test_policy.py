"""The administration and the API's documentation, walked in a browser: the content security policy refuses nothing of theirs.

Every other browser test watches for the same (tests/e2e/conftest.py).
"""

import re
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Page

from tests.core.security.test_headers import missing
from tests.factories.server import Server

ADMIN = "clinic-admin@riverside.demo"
OPERATOR = "super-admin@hms.demo"
HSTS_OVER_HTTP = "Strict-Transport-Security: None"  # it means nothing over http, and is not sent
PATH = "href => new URL(href, document.baseURI).pathname"


def walked(page: Page, model: Any) -> None:
    """Open the model's list, its form for a new row, the first row, and where rows can be deleted its history and deletion."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    listed = reverse(f"{name}_changelist")
    page.goto(listed)
    for links in (".object-tools .addlink", "#result_list a[href*='/change/']"):
        follow(page, links, listed)
    if page.locator(".deletelink").count():
        own = page.url
        for links in (".historylink", ".deletelink"):
            follow(page, links, own)


def follow(page: Page, links: str, start: str) -> None:
    """Open the first of the links on the page `start`, if there is one."""
    if not page.url.endswith(start):
        page.goto(start)
    if page.locator(links).count():
        where = page.evaluate(PATH, page.locator(links).first.get_attribute("href"))
        answer = page.goto(where)
        assert answer is not None and answer.status == 200, where


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_the_administration_is_walked_and_nothing_is_refused(model: Any, page_as: Callable[..., Page]) -> None:
    clinic = getattr(model, "table_kind", "platform") != "platform"
    page = page_as(ADMIN if clinic else OPERATOR)
    walked(page, model)


def test_its_own_pages_too(page_as: Callable[..., Page]) -> None:
    page = page_as(OPERATOR)
    for name in ("index", "permission-matrix", "cache", "system"):
        page.goto(reverse(f"admin:{name}"))


def test_a_file_that_is_served_has_the_headers_too(server: Server) -> None:
    sheet = re.search(r'href="(/static/[^"]+\.css)"', fetched(server, "/sign-in/")[1])
    assert sheet
    headers, _ = fetched(server, sheet[1])
    assert missing(headers) == [HSTS_OVER_HTTP]
    assert "immutable" in headers["Cache-Control"]


def fetched(server: Server, path: str) -> tuple[Any, str]:
    """Headers and text of one answer."""
    connection = HTTPConnection(server.host, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.headers, answer.read().decode()
    finally:
        connection.close()
