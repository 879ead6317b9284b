"""The browsable description of each version: every operation is there, and nothing comes from another host or is refused."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from core.api.versioning import IN_PATHS
from tests.e2e.conftest import ACTION_MS
from tests.factories.openapi import operations
from tests.factories.server import Server

pytestmark = pytest.mark.thorough

ADMIN = "clinic-admin@riverside.demo"


@pytest.mark.parametrize("version", IN_PATHS)
def test_every_operation_is_shown(page_as: Callable[..., Page], server: Server, version: str) -> None:
    page = page_as(ADMIN)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reverse(f"api-{IN_PATHS[version]}:docs"))
    expect(page.locator(".opblock")).to_have_count(len(list(operations(version))), timeout=ACTION_MS)
    page.locator(".opblock-summary-control").first.click()
    expect(page.locator(".opblock .responses-table").first).to_be_visible(timeout=ACTION_MS)
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {server.host}
