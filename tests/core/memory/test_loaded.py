"""What a process of the web server has in memory before anybody asks for anything."""

import json
import os
import subprocess
import sys

from tests.factories.server import ROOT

# Each takes between one and ten megabytes of every process: whoever needs one imports it then.
SELDOM = {
    *("PIL", "celery", "fido2", "httpcore", "httpx", "kombu", "obstore", "opentelemetry", "pypdf", "qrcode", "redis", "reportlab"),
    *("requests", "structlog"),
}
FROM_THE_START = {"appointments.pages.today", "core.api.documents", "patients.api.views"}  # no first request waits for these
LOADED = "import json, sys; import hms.asgi, hms.memory, core.messaging.courier; print(json.dumps(sorted(sys.modules)))"


def test_all_that_answers_is_loaded_and_nothing_that_few_need() -> None:
    surroundings = os.environ | {"HMS_PROCESS": "web", "HMS_LOG_FORMAT": "json", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert loaded & SELDOM == set()
    assert FROM_THE_START - loaded == set()
