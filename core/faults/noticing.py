"""Whatever is logged as an error with its exception is a fault, wherever it happened: in requests, threads, commands."""

import logging
import sys
from typing import override

from django.conf import settings

from core.faults.collecting import Where, collector
from core.logs import known

COMMAND, WEB, JOB, BACKGROUND = "command", "web", "job", "background"


def surroundings() -> Where:
    """Of the code that runs now: its request or job, else the command, else the name of its thread's process."""
    said = known()
    ids = {"clinic_id": said.get("clinic_id", ""), "request_id": said.get("request_id", "")}
    if "method" in said:
        return Where(WEB, f"{said['method']} {said.get('route', '(no route)')}", **ids)
    if "job_kind" in said:
        return Where(JOB, said["job_kind"], **ids)
    if settings.HMS_PROCESS == COMMAND:
        return Where(COMMAND, sys.argv[1] if len(sys.argv) > 1 else "", **ids)
    return Where(BACKGROUND, settings.HMS_PROCESS, **ids)


class FaultFilter(logging.Filter):
    """Before the redaction of a handler. The line learns the fingerprint (`fault`); several handlers note a record once."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or record.levelno < logging.ERROR or hasattr(record, "fault"):
            return True
        try:
            record.fault = collector.note(error, surroundings())
        except Exception as trouble:  # a boundary: who logs an error must not fail for it; the line says that it isn't counted
            record.fault = f"not counted: {type(trouble).__name__}"
        return True
