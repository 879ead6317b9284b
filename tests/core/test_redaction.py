"""What leaves for a log names places and kinds, never a value."""

import logging
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import RequestFactory
from django.utils.log import AdminEmailHandler

from core.errors import Conflict
from core.redaction import HIDDEN, BareReporter, RedactingFilter, redacted, told
from patients.models import Patient
from tests.architecture.catalogue import connected
from tests.factories.patients import patient_data
from tests.factories.world import Place, World

NAME, PHONE, EMAIL = "Quetzalwin", "+447700900987", "quetzalwin@example.org"


def logged(emit: Any) -> str:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(RedactingFilter())
    logger = logging.Logger("apart")
    logger.addHandler(handler)
    emit(logger)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"GET /patients/?q={NAME}&x=1 HTTP/1.1", f"GET /patients/?{HIDDEN} HTTP/1.1"),
        (f"Not Found: /api/v2/patients?search={NAME}", f"Not Found: /api/v2/patients?{HIDDEN}"),
        (f"sent to {EMAIL}, twice", f"sent to {HIDDEN}, twice"),
        (f"<{EMAIL}>", f"<{HIDDEN}>"),
        (f"called {PHONE}.", f"called {HIDDEN}."),
        ("called (020) 7946 0987 again", f"called {HIDDEN} again"),
        ("born 1974-08-03", f"born {HIDDEN}"),
        ("born 03/08/1974", f"born {HIDDEN}"),
        ("the clinic 01a223e9-2c23-71ea-994c-087c667acaf4", "the clinic 01a223e9-2c23-71ea-994c-087c667acaf4"),
        ("Slow statement 3f2a: 412 ms", "Slow statement 3f2a: 412 ms"),
        ("Is this right? Yes.", "Is this right? Yes."),
        ("Booting worker with pid: 123456", "Booting worker with pid: 123456"),
        ("blocked 203.0.113.25", "blocked 203.0.113.25"),
    ],
)
def test_what_is_hidden_in_a_line_and_what_stays(text: str, left: str) -> None:
    assert redacted(text) == left
    assert logged(lambda logger: logger.warning("%s", text)) == f"WARNING {left}\n"


def test_a_failing_row_is_not_told(in_riverside: Place, caplog: pytest.LogCaptureFixture) -> None:
    data = patient_data(family_name=NAME, phone=PHONE, email=EMAIL, mrn=f"X-{70 + 7}")
    Patient.objects.create(**data)

    def emit(logger: logging.Logger) -> None:
        try:
            with transaction.atomic():
                Patient.objects.create(**data)
        except IntegrityError:
            logger.exception("It failed.")

    line = logged(emit)
    assert "UniqueViolation: 23505 patients_patient patients_mrn_once" in line
    assert "test_redaction.py" in line
    assert "X-77" not in line and NAME not in line


def test_a_failing_check_is_not_told(world: World) -> None:
    """PostgreSQL adds the whole row, for a role that passes row-level security."""
    patient = world.riverside.patients[0]
    with connected("hms_maintenance") as connection, pytest.raises(psycopg.IntegrityError) as raised:
        connection.execute("UPDATE patients_patient SET version = -1 WHERE id = %s", [patient.pk])
    assert patient.family_name in str(raised.value), "else this test shows nothing"
    assert patient.family_name not in told(raised.value)
    assert "CheckViolation: 23514" in told(raised.value)


def test_no_value_of_an_exception_or_a_variable_is_told() -> None:
    def fail(name: str) -> None:
        copied = {"name": name}
        try:
            int(copied["name"])
        except ValueError as error:
            raise Conflict(f"{name} was there before.") from error

    with pytest.raises(Conflict) as raised:
        fail(NAME)
    raised.value.add_note(f"About {NAME}.")
    text = told(raised.value)
    assert NAME not in text
    assert text.index("ValueError") < text.index("core.errors.Conflict: CONFLICT")
    with pytest.raises(AttributeError) as missing:
        _ = (1).name  # type: ignore[attr-defined]
    assert "AttributeError: 'int' object has no attribute 'name'" in told(missing.value)


def test_an_error_mail_holds_nothing_of_the_request(mailoutbox: list[Any], settings: Any) -> None:
    settings.ADMINS = ["operator@hms.test"]
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    request = RequestFactory().post(f"/patients/?q={NAME}", {"family_name": NAME}, headers={"cookie": f"a={NAME}"})
    logger = logging.Logger("apart")
    logger.addHandler(AdminEmailHandler(include_html=True))
    filtered = AdminEmailHandler(include_html=True)
    filtered.addFilter(RedactingFilter())
    logger.addHandler(filtered)
    try:
        raise ValueError(NAME)
    except ValueError:
        logger.exception("Internal Server Error: /patients/", extra={"request": request})
    assert len(mailoutbox) == 2
    for mail in mailoutbox:
        assert NAME not in mail.subject + mail.body + str(mail.alternatives)
    assert "ValueError" in mailoutbox[0].body


def test_every_handler_and_djangos_own_report_pass_here() -> None:
    assert {name: "redact" in one["filters"] for name, one in settings.LOGGING["handlers"].items()} == {"console": True}
    assert f"{BareReporter.__module__}.{BareReporter.__qualname__}" == settings.DEFAULT_EXCEPTION_REPORTER
    attached = [one for one in logging.getLogger().handlers if any(isinstance(f, RedactingFilter) for f in one.filters)]
    assert attached
