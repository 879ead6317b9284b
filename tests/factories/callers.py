"""Machines and people who ask a running HMS, without a browser: what they get, and whether it came from the cache."""

import re
import time
import urllib.parse
import urllib.request

from django.conf import settings

from hms.simulation import calling
from hms.simulation.calling import Reply
from tests.factories.patience import PATIENCE
from tests.factories.server import Server

__all__ = ["PASSWORD", "Caller", "Reader", "Reply", "Seen"]

PASSWORD: str = settings.HMS_DEMO_PASSWORD


class Caller(calling.Caller):
    """Somebody of the demo with a token."""

    def __init__(self, server: Server, email: str) -> None:
        self.server = server
        super().__init__(server.host, email, PASSWORD)


class Reader:
    """Somebody at the pages, without a browser."""

    def __init__(self, server: Server, email: str) -> None:
        self.url = server.url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = self.read("/sign-in/")
        form = {"csrfmiddlewaretoken": page.tokens[0], "email": email, "password": PASSWORD}
        self.opener.open(f"{self.url}/sign-in/", urllib.parse.urlencode(form).encode()).read()

    def read(self, path: str) -> "Seen":
        with self.opener.open(self.url + path) as answer:
            return Seen(answer.read().decode(), answer.headers["Server-Timing"])

    def read_kept(self, path: str) -> "Seen":
        """As a process shows it that has it in its cache."""
        deadline = time.monotonic() + PATIENCE
        while not (seen := self.read(path)).kept:
            assert time.monotonic() < deadline, f"{path} is never answered from the cache"
        return seen


class Seen:
    def __init__(self, html: str, timing: str) -> None:
        self.html = html
        self.from_cache = "cache;desc=hit" in timing
        self.queries = int(re.search(r'desc="(\d+) queries"', timing)[1])  # type: ignore[index]
        self.kept = self.from_cache and not self.queries
        self.tokens = re.findall(r'name="csrfmiddlewaretoken" value="([^"]*)"', html)
        self.keys = re.findall(r'name="idempotency_key" value="([^"]*)"', html)
