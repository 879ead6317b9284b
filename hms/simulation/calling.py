"""Machines and people who ask a running HMS: what they get, and whether it came from the cache."""

import json
import re
from http.client import HTTPConnection
from typing import Any

SECONDS = 20  # that an answer may take
TOKEN_PATH = "/api/v2/auth/token"  # noqa: S105
QUERIES = re.compile(r'desc="(\d+) queries"')


class NotSignedIn(RuntimeError):
    """HMS did not take the e-mail address and the password; the message says what it answered."""


class Reply:
    """An answer, read whole. `body` is the JSON, or the text of a page; None when it is empty."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status
        self.etag: str = response.getheader("ETag", "")
        self.retry_after: str = response.getheader("Retry-After", "")
        self.cookies = [one.partition(";")[0] for one in response.headers.get_all("Set-Cookie") or ()]
        text = response.read().decode()
        is_json = "json" in response.getheader("Content-Type", "")
        self.body: Any = (json.loads(text) if is_json else text) if text else None
        timing = response.getheader("Server-Timing", "")
        found = QUERIES.search(timing)
        self.queries = int(found[1]) if found else 0
        self.from_cache = "cache;desc=hit" in timing

    @property
    def data(self) -> Any:
        """What the answer of the API is about; None in a refusal."""
        return self.body.get("data") if isinstance(self.body, dict) else None

    @property
    def error(self) -> dict[str, Any]:
        """The API's refusal; empty in any other answer."""
        return self.body.get("error") or {} if isinstance(self.body, dict) else {}


class Caller:
    """Somebody with a token, or (without an e-mail address) nobody; each request on a connection of its own, so any worker may
    answer."""

    def __init__(self, host: str, email: str = "", password: str = "") -> None:
        self.host, self.email, self.password = host, email, password
        self.token = ""
        if email:
            self.sign_in()

    def sign_in(self) -> None:
        """Raises NotSignedIn."""
        self.token = ""
        reply = self.send("POST", TOKEN_PATH, {"email": self.email, "password": self.password})
        if reply.status != 200:
            raise NotSignedIn(f"{self.email} can't sign in: {reply.status} {reply.error.get('message', '')}")
        self.token = reply.data["access"]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """A header's name has `_` for `-`. Raises OSError or HTTPException when no answer comes."""
        connection = HTTPConnection(self.host, timeout=SECONDS)
        sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        content = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            connection.request(method, path, content, sent)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, **headers)
