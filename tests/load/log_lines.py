"""What one log line costs, in microseconds of processor time.

`manage.py shell -c "from tests.load.log_lines import main; main()"`
"""

import io
import logging
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial

from django.test import RequestFactory

from core.database.detector import Detector
from core.logs import formatter, tell_request, telling_of
from core.redaction import RedactingFilter
from core.tenancy.context import Scope, entered

LINES, ROUNDS = 5_000, 5


def handler_of(form: logging.Formatter) -> logging.Handler:
    found = logging.StreamHandler(io.StringIO())
    found.addFilter(RedactingFilter())
    found.setFormatter(form)
    return found


def microseconds(logger: logging.Logger, form: logging.Formatter, tell: Callable[[], object]) -> float:
    """The best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        handler = handler_of(form)
        logger.handlers = [handler]
        began = time.thread_time()
        for _ in range(LINES):
            tell()
        best = min(best, time.thread_time() - began)
    return best / LINES * 1e6


def main() -> None:
    scope = Scope(uuid.uuid4(), uuid.uuid4(), str(uuid.uuid4()))
    request = RequestFactory().get("/sign-in/")
    request.request_id, request.statements = scope.request_id, Detector()
    line = logging.getLogger("core.measured")
    line.propagate, line.level = False, logging.INFO
    requests = logging.getLogger("hms.requests")
    requests.propagate, requests.level = False, logging.INFO
    bare = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    with telling_of(request), entered(scope):
        tell = partial(line.info, "Job %s succeeded in %.3f s.", "a", 0.2)
        for name, form in (("as bare text", bare), ("as JSON", formatter("json"))):
            sys.stdout.write(f"a line {name}: {microseconds(line, form, tell):.1f} us\n")
        asked = microseconds(requests, formatter("json"), lambda: tell_request(request, 200, 12.3))
        sys.stdout.write(f"the line of a request, as JSON: {asked:.1f} us\n")
        line.setLevel(logging.WARNING)
        sys.stdout.write(f"a line below the level: {microseconds(line, bare, tell):.2f} us\n")
