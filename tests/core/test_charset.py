"""Whatever charset a caller names: HMS reads UTF-8, says so, and answers."""

import json
from http.client import HTTPConnection
from urllib.parse import quote

import pytest

from tests.factories.callers import PASSWORD
from tests.factories.patience import PATIENCE
from tests.factories.server import Server

pytestmark = pytest.mark.server
ADDRESSES = ["/health/live", "/sign-in/", "/api/v2/patients", "/api/v2/auth/token", "/no-such-page/"]
UNREADABLE = ["text/plain; charset*=foo'en'x"]
FOREIGN = ["rot13", "hex", "undefined", "utf-7", "unicode_escape", "iso-8859-1", "UTF-16", "no-such-charset"]
CONTENT_TYPES = [*UNREADABLE, "text/plain; charset*=utf-8''a%00", "application/json; charset*=latin-1''%E4"]
CONTENT_TYPES += [f"text/plain; charset={name}" for name in FOREIGN]


def ask(server: Server, path: str, content_type: str, body: str | None = None, **headers: str) -> tuple[int, str | None, str]:
    """Status, request id and text."""
    connection = HTTPConnection(server.host, timeout=PATIENCE)
    try:
        sent = None if body is None else body.encode()
        connection.request("POST" if body else "GET", path, sent, {"Content-Type": content_type, **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers["X-Request-ID"], answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("content_type", [*CONTENT_TYPES, "application/json; charset=utf-8"])
def test_every_request_is_answered(server: Server, content_type: str) -> None:
    """Not by the server's bare 500: by the application."""
    for path in ADDRESSES:
        for query in ("a=1", "a&" * 1001, "%C3%28=%ff"):
            for body in (None, "{}"):
                status, request_id, text = ask(server, f"{path}?{query}", content_type, body)
                assert status < 500 and request_id, f"{path}?{query[:9]} {body!r}: {status} {text[:200]}"


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_body_in_another_charset_is_refused_with_a_sentence(server: Server, content_type: str) -> None:
    words = "Content-Type" if content_type in UNREADABLE else "in UTF-8"
    status, _, page = ask(server, "/sign-in/", content_type, "email=a")
    assert status == 415 and words in page
    status, _, text = ask(server, "/api/v2/auth/token", content_type, "{}")
    error = json.loads(text)["error"]
    assert status == 415 and error["code"] == "UNSUPPORTED_MEDIA_TYPE" and words in error["message"]


def _token(server: Server, charset: str) -> str:
    given = json.dumps({"email": "receptionist@riverside.demo", "password": PASSWORD})
    status, _, text = ask(server, "/api/v2/auth/token", f"application/json; charset={charset}", given)
    assert status == 200, text
    return str(json.loads(text)["data"]["access"])


@pytest.mark.parametrize("charset", ["utf-8", '"UTF-8"', "utf8", "US-ASCII"])
def test_what_is_utf_8_is_read(server: Server, charset: str) -> None:
    assert _token(server, charset)


@pytest.mark.parametrize(("charset", "name"), [("utf-7", "+AGM-linic_id"), ("unicode_escape", r"\x63linic_id")])
def test_no_charset_hides_which_clinic_is_asked_for(server: Server, charset: str, name: str) -> None:
    """Read by it these names would be `clinic_id`, unseen by whoever looks at the raw query. In UTF-8 they are names of nothing."""
    asker = {"Authorization": f"Bearer {_token(server, 'utf-8')}"}
    status, _, text = ask(server, f"/api/v2/services?{quote(name)}=hillcrest", f"text/plain; charset={charset}", **asker)
    assert status == 400 and "linic_id" in text, text
