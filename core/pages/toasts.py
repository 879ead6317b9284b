"""Toasts: what has just been done, told on the next page or fragment, with Undo where it can be taken back."""

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest

UNDO = "undo:"


def toast(request: HttpRequest, text: str, *, undo_url: str = "") -> None:
    """Tell `text` once. `undo_url` is posted to (with an empty form) when the person presses Undo."""
    messages.success(request, text, extra_tags=f"{UNDO}{undo_url}" if undo_url else "")


def undo_address(message: Message) -> str:
    """The `undo_url` the toast was given, or an empty string."""
    tags = message.extra_tags or ""
    return tags.removeprefix(UNDO) if tags.startswith(UNDO) else ""
