"""Running the rotation of keys inside a test, for the tests that do."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from core.keys import memory, rotation


@pytest.fixture(autouse=True)
def nobody_else_has_keys_in_memory(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One process, one transaction: there is nobody to wait for. What it made is rolled back, so its memory goes too."""
    settings.HMS_KEYS_KEPT = 0
    monkeypatch.setattr(rotation, "MARGIN", 0)
    memory.forget()
    yield
    memory.forget()


def run(*arguments: str) -> str:
    """What the command says."""
    said = StringIO()
    call_command("rotate_encryption_keys", *arguments, stdout=said)
    return said.getvalue()
