"""The address of every page, with ids from the running demo."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import APIRequestContext

from tests.e2e.conftest import RETRIES
from tests.factories.routes import Route, routes

LISTS = {
    "patients": "patients",
    "of-patient": "patients",
    "appointments": "appointments?status=confirmed&ordering=-start",
    "services": "services",
    "schedules": "providers",
    "providers": "providers",
    "exceptions": "schedule-exceptions",
    "holidays": "holidays",
    "blocks": "schedules",
    "locations": "locations",
    "queue": "queue",
    "members": "memberships",
}
POST_ONLY = ("/drafts/", "/switch-clinic/", "/sign-out/", "/settings/people/invitations/", "/queue-dashboard/jobs/")
POST_ONLY += (
    "/queue-dashboard/retry-all/",
    "/notifications/read-all/",
    "/notifications/{notification_id}/",
    "/patients/{patient_id}/messages/resume/",
)
BY_LETTER = (
    "/join/",
    "/visit/",
    "/webhooks/",
    "/board/{token}/now/",
    "/board/{token}/stream/",
)  # the link stands in a message alone, or in a gateway's settings


def page_routes() -> list[Route]:
    """Every page that answers GET, sign-in and styleguide included."""
    found = {route.path: route for route in (*routes("page", methods=("GET",)), *routes("open", methods=("GET",)))}
    return [
        route
        for path, route in sorted(found.items())
        if not path.startswith(("/api/", "/health", "/metrics", *POST_ONLY, *BY_LETTER))
    ]


def address(route: Route, request: APIRequestContext) -> str:
    """The page's address in the demo, with the first id its noun's list gives."""
    path = route.path
    for name in route.parameters:
        slot = f"{{{name}}}"
        before = re.search(r"([\w-]+)/" + re.escape(slot), path)
        noun = before[1] if before else name
        if noun in MADE:
            path = path.replace(slot, MADE[noun](path, request), 1)
            continue
        assert noun in LISTS, f"no case for {noun!r} in {route.path}: add one to tests/e2e/addresses.py"
        joint = "&" if "?" in LISTS[noun] else "?"
        rows: list[dict[str, Any]] = request.get(f"/api/v2/{LISTS[noun]}{joint}limit=1", max_retries=RETRIES).json()["data"]
        path = path.replace(slot, rows[0]["id"], 1)
    if route.path in FILLED:
        FILLED[route.path](path, request)
    return path


def _document_below(path: str, request: APIRequestContext) -> str:
    """The id of a document of the patient in the path; one is added if there is none."""
    patient = path.split("/patients/")[1].split("/")[0]
    where = f"/api/v2/patients/{patient}/documents"
    rows: list[dict[str, Any]] = request.get(f"{where}?limit=1", max_retries=RETRIES).json()["data"]
    if rows:
        return str(rows[0]["id"])
    file = {"name": "letter.txt", "mimeType": "text/plain", "buffer": b"Dear colleague"}
    added = request.post(where, multipart={"file": file}, headers=_token(request), max_retries=RETRIES)
    assert added.ok, added.text()
    return str(added.json()["data"]["id"])


def restricted_patient(request: APIRequestContext) -> str:
    """The id of a new patient whose record is restricted; made by the clinic's administrator."""
    headers = _token(request)
    data = {"given_name": "Pane", "family_name": "Glass", "date_of_birth": "1961-02-03", "sex": "female", "accept_duplicate": True}
    made = request.post("/api/v2/patients", data=data, headers=headers, max_retries=RETRIES)
    assert made.ok, made.text()
    patient = str(made.json()["data"]["id"])
    said = {"reason": "Works at the desk", "csrfmiddlewaretoken": headers["X-CSRFToken"]}
    assert request.post(f"/patients/{patient}/restriction/", form=said, headers=headers, max_retries=RETRIES).ok
    return patient


def an_access(path: str, request: APIRequestContext) -> str:
    """The id of an emergency access: there is one when a restricted record has been opened."""
    body = {"category": "other", "reason": "Walked by every page"}
    where = f"/api/v2/patients/{restricted_patient(request)}/break-glass"
    opened = request.post(where, data=body, headers=_token(request), max_retries=RETRIES)
    assert opened.ok, opened.text()
    return str(opened.json()["data"]["id"])


def _token(request: APIRequestContext) -> dict[str, str]:
    found = re.search(r'"X-CSRFToken": "(\w+)"', request.get("/", max_retries=RETRIES).text())
    assert found, "the frame carries no CSRF token"
    return {"X-CSRFToken": found[1]}


def _api_key(path: str, request: APIRequestContext) -> str:
    """The id of the demo's key."""
    found = re.search(r"/settings/api-keys/([0-9a-f-]{36})/end/", request.get("/settings/api-keys/", max_retries=RETRIES).text())
    assert found, "the demo's clinic has no API key"
    return found[1]


def _in_queue_setup(pattern: str) -> Callable[[str, APIRequestContext], str]:
    """What the queue's settings name by this pattern."""

    def found(path: str, request: APIRequestContext) -> str:
        one = re.search(pattern, request.get("/settings/queue/", max_retries=RETRIES).text())
        assert one, f"the demo's queue has nothing like {pattern}"
        return one[1]

    return found


QUEUE = {
    "board": _in_queue_setup(r"/board/([^/\"]+)/"),
    "kiosk": _in_queue_setup(r"/kiosk/([^/\"]+)/"),
    "screens": _in_queue_setup(r"/settings/queue/screens/([0-9a-f-]{36})/end/"),
    "groups": _in_queue_setup(r"/settings/queue/groups/([0-9a-f-]{36})/"),
}
MADE = {**QUEUE, "api-keys": _api_key, "documents": _document_below, "emergency-access": an_access}
# Lists that the demo leaves empty: what puts a row on them, so that the walk sees one.
FILLED = {"/oversight/emergency-access/": an_access, "/patients/{patient_id}/documents/": _document_below}
