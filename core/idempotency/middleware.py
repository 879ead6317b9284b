"""A repeated unsafe request does nothing twice: header `Idempotency-Key` for machines, a hidden field in every form."""

import hashlib
import hmac
import json
import re
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from core.audit.subjects import Subjects, shown_again, shown_so_far
from core.errors import BadRequest, Conflict, Detail, DomainError
from core.idempotency.models import IdempotencyRecord
from core.keys.sealing import seal, unseal
from core.requests import GetResponse, HMSRequest
from core.responses import FORM_TYPES, error_response
from core.security.crypto import encrypt
from core.tenancy.ids import new_id
from core.uploads.limits import form_of

FORM_FIELD = "idempotency_key"
NOT_ASKED_FOR = ("csrfmiddlewaretoken", FORM_FIELD)
SIGN_IN = re.compile(r"/sign-(in|out)/|/api/(v\d+/)?auth/(?!sessions)")  # neither its answers nor a trace of its passwords are kept
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
KEY = re.compile(r"[\x21-\x7e]{8,128}")
KEPT_FOR = timedelta(hours=24)
KEPT_HEADERS = ("Content-Type", "Location", "ETag", "HX-Redirect", "HX-Trigger")
CONTEXT = "core_idempotencyrecord.answer"
# A new key goes in; a key older than a day is taken over; a live one gives no row. A concurrent twin waits for our commit.
CLAIM = """
INSERT INTO core_idempotencyrecord (id, user_id, clinic_id, key, fingerprint, status, answer, created_at)
VALUES (%s, %s, %s, %s, %s, 0, '', %s)
ON CONFLICT (user_id, key) DO UPDATE
    SET clinic_id = EXCLUDED.clinic_id, fingerprint = EXCLUDED.fingerprint, status = 0, answer = '',
        created_at = EXCLUDED.created_at
    WHERE core_idempotencyrecord.created_at < %s
RETURNING id
"""


class IdempotencyMiddleware:
    """Runs inside the unit of work: the record commits with the change or not at all. Only 2xx and redirects are kept."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        if request.method not in UNSAFE or not request.user.is_authenticated or SIGN_IN.match(request.path):
            return self.get_response(request)
        key = request.headers.get("Idempotency-Key", "")
        try:
            if not key and request.content_type in FORM_TYPES:
                key = form_of(request).get(FORM_FIELD, "")
            if key:
                return self._once(request, key)
        except DomainError as error:
            return error_response(request, error)
        return self.get_response(request)

    def _once(self, request: HMSRequest, key: str) -> HttpResponse:
        if not KEY.fullmatch(key):
            message = "An idempotency key is 8 to 128 printable characters."
            raise BadRequest(message, [Detail("Idempotency-Key", "invalid", message)])
        fingerprint = _fingerprint(request)
        if not self._claim(request, key, fingerprint):
            return self._first_answer(request, key, fingerprint)
        response = self.get_response(request)
        if response.status_code < 400:
            self._keep(request, key, response)
        return response

    def _claim(self, request: HMSRequest, key: str, fingerprint: str) -> bool:
        now = timezone.now()
        clinic_id = request.clinic.pk if request.clinic else None
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, [new_id(), request.user.pk, clinic_id, key, fingerprint, now, now - KEPT_FOR])
            return cursor.fetchone() is not None

    def _first_answer(self, request: HMSRequest, key: str, fingerprint: str) -> HttpResponse:
        record = IdempotencyRecord.objects.get(user=request.user, key=key)
        if record.fingerprint != fingerprint:
            raise Conflict("This idempotency key was used for another request.")
        kept = json.loads(unseal(record.answer, context=CONTEXT))
        shown_again(Subjects(bytes.fromhex(kept.get("patients", "")), kept.get("reading", Subjects().reading)))
        response = HttpResponse(kept["body"].encode("latin-1"), status=record.status)
        for name, value in kept["headers"].items():
            response[name] = value
        response["Idempotency-Replayed"] = "true"
        return response

    def _keep(self, request: HMSRequest, key: str, response: HttpResponse) -> None:
        headers = {name: response[name] for name in KEPT_HEADERS if name in response}
        subjects = shown_so_far()
        whom = {"patients": subjects.patients.hex(), "reading": subjects.reading}
        answer = json.dumps({"body": response.content.decode("latin-1"), "headers": headers} | whom).encode()
        IdempotencyRecord.objects.filter(user=request.user, key=key).update(
            status=response.status_code, answer=_sealed(answer, request)
        )


def _sealed(answer: bytes, request: HMSRequest) -> bytes:
    if request.clinic is None:
        return encrypt(answer, context=CONTEXT)
    return seal(answer, clinic_id=request.clinic.pk, context=CONTEXT)


def _fingerprint(request: HMSRequest) -> str:
    """A keyed digest of what is asked for. Of a form its fields count, not how the browser wrapped them."""
    clinic = request.clinic.pk if request.clinic else ""
    asked = f"{request.method} {request.get_full_path()} {request.api_version} {clinic}\n"
    seen = hmac.new(settings.SECRET_KEY.encode(), asked.encode(), hashlib.sha256)
    if request.content_type in FORM_TYPES:
        fields = sorted((name, values) for name, values in form_of(request).lists() if name not in NOT_ASKED_FOR)
        seen.update(json.dumps(fields).encode())
        for name, uploads in sorted(request.FILES.lists()):
            for upload in uploads:
                seen.update(json.dumps([name, upload.name, upload.size]).encode())
                for piece in upload.chunks():
                    seen.update(piece)
                upload.seek(0)
    else:
        seen.update(request.body)
    return seen.hexdigest()
