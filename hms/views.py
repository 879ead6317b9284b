"""Answers that belong to no domain."""

from django.db import OperationalError, connection
from django.http import HttpResponse, JsonResponse

from core.api.versioning import KNOWN
from core.errors import BadRequest, Detail
from core.requests import HMSRequest
from core.responses import error_response


def health(request: HMSRequest) -> HttpResponse:
    """200 when HMS can reach its database, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return JsonResponse({"status": "unavailable", "failing": ["database"]}, status=503)
    return JsonResponse({"status": "ok"})


def unknown_version(request: HMSRequest) -> HttpResponse:
    message = f"Unknown version. Known: {', '.join(KNOWN)}."
    return error_response(request, BadRequest(message, [Detail("api_version", "unknown_version", message)]))
