"""`manage.py asset_report`: every page's files are within the budget that the tests of whole pages use."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.static_files import pages as reading
from core.static_files.pages import files_of, pages


def test_every_page_is_within_its_budget() -> None:
    found = pages()
    assert len(found) > 60
    assert not [page.template for page in found if page.is_over]


def test_it_reads_what_a_page_names() -> None:
    assert files_of("appointments/board.html") == ("css/hms.css", "icons/icons.svg", "js/board.js")
    assert "js/frame.js" in files_of("core/sign_in.html") and "js/passkey.js" in files_of("core/sign_in.html")
    assert "vendor/htmx/htmx.min.js" not in files_of("core/sign_in.html"), "the page has put its own in the place of these"
    found = {page.template: page for page in pages()}
    assert "js/forms.js" in found["base.html"].later


def test_a_page_over_its_budget_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FILE_BYTES", 20 * 1024)
    output = StringIO()
    with pytest.raises(CommandError, match=r"base\.html"):
        call_command("asset_report", stdout=output)
    assert "OVER" in output.getvalue()


def test_blocks_are_read_as_a_page_has_them(settings: Any, tmp_path: Path) -> None:
    templates = {
        "whole": "<html>{% block a %}{% static 'js/frame.js' %}{% endblock %}"
        "{% block b %}{% if x %}{% static 'js/live.js' %}{% endif %}{% endblock %}</html>",
        "adds": "{% extends 'whole.html' %}{% block a %}{{ block.super }}{% static 'js/again.js' %}{% endblock %}",
        "lowest": "{% extends 'adds.html' %}{% block b %}{% include 'piece.html' %}{% endblock %}",
        "piece": "{% static 'js/board.js' %}",
    }
    for name, text in templates.items():
        (tmp_path / f"{name}.html").write_text(text)
    tags = {"builtins": ["django.templatetags.static"]}
    settings.TEMPLATES = [{"BACKEND": settings.TEMPLATES[0]["BACKEND"], "DIRS": [tmp_path], "OPTIONS": tags}]
    assert files_of("whole.html") == ("js/frame.js", "js/live.js")
    assert files_of("adds.html") == ("js/again.js", "js/frame.js", "js/live.js")
    assert files_of("lowest.html") == ("js/again.js", "js/board.js", "js/frame.js")
    assert files_of("piece.html") == ()
