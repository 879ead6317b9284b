"""Which language an answer is in follows from what this very request says."""

from typing import Any

import pytest
from django.test import Client

from core.middleware import LanguageMiddleware


@pytest.fixture
def two_languages(settings: Any) -> None:
    settings.LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]


def test_the_cookie_comes_before_the_header(two_languages: None, client: Client, db: None) -> None:
    for _ in range(2):  # worked out, then known
        assert client.get("/sign-in/")["Content-Language"] == "en-gb"
        answer = client.get("/sign-in/", headers={"Accept-Language": "de;q=0.9"})
        assert answer["Content-Language"] == "de"
        assert "Accept-Language" in answer["Vary"]
    client.cookies["hms_language"] = "en-gb"
    assert client.get("/sign-in/", headers={"Accept-Language": "de;q=0.9"})["Content-Language"] == "en-gb"


def test_what_is_known_has_a_bound(two_languages: None, client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LanguageMiddleware, "KEPT", 2)
    for number in range(5):
        for language in ("de", "en-gb", "x" * 300):
            answer = client.get("/sign-in/", headers={"Accept-Language": f"{language};q=0.{number + 1}"})
            assert answer["Content-Language"] == ("de" if language == "de" else "en-gb")
