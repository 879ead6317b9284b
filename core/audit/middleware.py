"""Nothing of a patient leaves without a trace: the event is on this machine's disk before the answer's first byte is out."""

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from core.audit.draining import drainer, spool
from core.audit.events import AccessRecord
from core.audit.restricted import why_of
from core.audit.spool import SpoolUnwritable
from core.audit.subjects import Shown, collecting
from core.errors import Unavailable
from core.requests import HMSRequest
from core.responses import error_response
from core.tenancy.ids import new_id

logger = logging.getLogger(__name__)

NOT_SHOWN = {400, 401, 403, 404, 405, 410, 413, 415, 429}  # an error's own words, whatever was made before


class AccessLogMiddleware:
    """Inside the unit of work, around all that makes answers: from the database, from the cache, or of an earlier request.

    One event for each request that shows a patient, with all of them. What can't be written down isn't shown: 503, and what the
    request had changed is rolled back. No query.
    """

    def __init__(self, get_response: Callable[[HMSRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HMSRequest) -> HttpResponse:
        with collecting() as shown:
            response = self.get_response(request)
        if shown.patients and shows(response):
            try:
                self._note(request, response, shown)
            except SpoolUnwritable:
                logger.exception("An access could not be written down, so the answer was withheld.")
                return error_response(request, Unavailable(_("HMS can't write its access log at this moment. Try again.")))
        return response

    def _note(self, request: HMSRequest, response: HttpResponse, shown: Shown) -> None:
        clinic, match = request.clinic, request.resolver_match
        if clinic is None:
            raise SpoolUnwritable("patients of no clinic")
        shown.why = shown.why or why_of(request.openings, (UUID(bytes=one) for one in shown.patients))
        event_id, at = _event_of(request)
        record = AccessRecord(
            event_id=event_id,
            at=at,
            user_id=request.person_id,
            clinic_id=clinic.pk,
            route=match.view_name if match else "",
            method=str(request.method),
            status=response.status_code,
            address=str(request.META.get("REMOTE_ADDR") or ""),
            request_id=request.request_id,
            shown=shown,
        )
        spool.append(record.packed())
        if settings.HMS_PROCESS == "web":
            drainer.start()


def shows(response: HttpResponse) -> bool:
    """Does the answer carry what was made for it? Redirects and refusals don't; a form that is shown again does."""
    status = response.status_code
    return (status < 300 or status == 304 or status >= 400) and status < 500 and status not in NOT_SHOWN


def _event_of(request: HMSRequest) -> tuple[UUID, datetime]:
    """Its id and its moment: one event for each request, however often it runs. All whom a run showed are in it."""
    request.access = getattr(request, "access", None) or (new_id(), timezone.now())
    return request.access
