"""An integrator's client: bearer token or API key, JSON in and out."""

from typing import Any

from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from core.accounts.models import User
from core.accounts.tokens import issue
from core.tenancy.models import Clinic
from tests.factories.threads import apart


class Form(dict[str, Any]):
    """A body that goes as multipart/form-data; files are `SimpleUploadedFile`s."""


class ApiClient:
    """`ApiClient(user).post("patients", {...})`; paths are below /api/v2/. Without a user or a key: anonymous."""

    def __init__(self, user: User | None = None, clinic: Clinic | None = None, *, key: str = "") -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {}
        if user is not None:
            self.headers["Authorization"] = f"Bearer {issue(user, clinic_id=clinic.pk if clinic else None).access}"
        if key:
            self.headers["Authorization"] = f"Api-Key {key}"

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        url = path if path.startswith("/") else f"/api/v2/{path}"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, Form):
            return self.client.generic(
                method, url, encode_multipart(BOUNDARY, body), content_type=MULTIPART_CONTENT, headers={**self.headers, **given}
            )
        return self.client.generic(
            method, url, data=_encoded(body), content_type="application/json", headers={**self.headers, **given}
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.request("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.request("POST", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.request("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.request("DELETE", path, None, **headers)


def committed_client(user: User, clinic: Clinic | None = None) -> ApiClient:
    """Its session is committed: the client may ask on other connections than the test's."""
    return apart(lambda: ApiClient(user, clinic))[0]


def _encoded(body: Any) -> bytes:
    import json

    return b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
