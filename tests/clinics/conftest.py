"""What the clinic writes to people, as they would read it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models.signals import post_save

from core.messaging.models import OutgoingMessage


@pytest.fixture
def letters(settings: Any) -> Iterator[list[OutgoingMessage]]:
    """What is posted during the test, to an installation that can send e-mail."""
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    posted: list[OutgoingMessage] = []

    def note(instance: OutgoingMessage, **_: Any) -> None:
        posted.append(instance)

    post_save.connect(note, sender=OutgoingMessage)
    yield posted
    post_save.disconnect(note, sender=OutgoingMessage)
