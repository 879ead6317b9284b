"""Machines and people who ask a running HMS, without a browser: what they get, and whether it came from the cache."""

import json
import re
import time
import urllib.parse
import urllib.request
from http.client import HTTPConnection
from typing import Any

from tests.factories.server import Server

PASSWORD = "Clinic-Day-2026"


class Caller:
    """Somebody of the demo with a token; each request on a connection of its own, so any worker may answer."""

    def __init__(self, server: Server, email: str) -> None:
        self.server = server
        self.token = ""
        self.token = self.send("POST", "/api/v2/auth/token", {"email": email, "password": PASSWORD}).body["data"]["access"]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> "Reply":
        connection = HTTPConnection(self.server.host, timeout=20)
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> "Reply":
        return self.send("GET", path, **headers)


class Reply:
    def __init__(self, response: Any) -> None:
        self.status = response.status
        self.etag = response.getheader("ETag", "")
        text = response.read().decode()
        self.body = json.loads(text) if text else None
        timing = response.getheader("Server-Timing", "")
        self.queries = int(re.search(r'desc="(\d+) queries"', timing)[1])  # type: ignore[index]
        self.from_cache = "cache;desc=hit" in timing


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
        deadline = time.monotonic() + 20
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
