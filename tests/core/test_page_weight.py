"""What a browser has to fetch: the first visit of a page and the next one, compressed."""

import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders

from core.accounts.roles import Role
from core.static_files.budgets import FIRST_VISIT, NEXT_VISIT, REQUESTS, weight
from tests.factories.world import Place

PATHS = [
    "/sign-in/",
    "/patients/",
    "/patients/register/",
    "/settings/",
    "/settings/places/",
    "/settings/people/",
    "/choose-clinic/",
]


def fetched(page: str) -> list[str]:
    """Every static file that the page names, and the modules it may call in."""
    named = set(re.findall(r'(?:href|src)="/static/([^"#]+)', page))
    if "data-draft=" in page:
        named.add("js/forms.js")
    return sorted(named)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_light(path: str, sign_in: Any, client: Any, in_riverside: Place) -> None:
    browser = client if path == "/sign-in/" else sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    page = browser.get(path)
    files = fetched(page.text)
    static = 0
    for name in files:
        found = finders.find(name)
        assert found, name
        with open(found, "rb") as file:  # noqa: PTH123
            static += weight(file.read())
    assert 1 + len(files) <= REQUESTS, files
    assert weight(page.content) <= NEXT_VISIT
    assert weight(page.content) + static <= FIRST_VISIT


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_inline_code_and_asks_no_other_host(path: str, sign_in: Any, client: Any, in_riverside: Place) -> None:
    browser = client if path == "/sign-in/" else sign_in(in_riverside.users[Role.CLINIC_ADMIN])
    page = browser.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert not re.search(r'(?:src|href|action|srcset)="(?:https?:)?//', page)
