"""The inspector stands apart: what it is given can't hurt anybody else, and it is asked with words that people understand."""

import pickle
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings

from core.errors import PayloadTooLarge, ValidationFailed
from core.uploads import inspection
from core.uploads.apart import NoAnswer, answer_of
from core.uploads.inspection import ManyFiles, checked
from tests.core.uploads.tables import BAD_OFFICE, BAD_PDF, BAD_PICTURES, BAD_REST, GOOD
from tests.factories import files


def test_a_file_comes_back_as_it_is_kept() -> None:
    file = checked(files.photograph(), name="C:\\camera\\IMG_1.HEIC")
    assert (file.content_type, file.name) == ("image/jpeg", "IMG_1.HEIC.jpg")
    assert b"Secret" not in file.content and len(file.sha256) == 64


def test_what_is_refused_is_named_with_what_to_do() -> None:
    with pytest.raises(ValidationFailed) as refused:
        checked(files.docx(word__vbaProject_dot_bin=b"x"), name="a.docx")
    (detail,) = refused.value.details
    assert (detail.field, detail.code) == ("file", "active_office")
    assert "Save it without them" in detail.message


def test_a_file_over_the_limit_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_asked", lambda content: pytest.fail("looked at"))
    with pytest.raises(PayloadTooLarge, match="larger than 10 MB"):
        checked(b"x" * (settings.HMS_UPLOAD_BYTES + 1), name="a.txt")


ENDS: dict[str, str] = {
    "time": "while True: pass",
    "memory": "hold = bytearray(3 * 1024 ** 3)",
    "files": "open('{path}', 'wb').write(b'x')",
    "crash": "import os; os.abort()",
}


@pytest.mark.parametrize("way", ENDS)
def test_a_parser_that_breaks_or_stalls_is_stopped_and_the_file_refused(way: str, tmp_path: Any, monkeypatch: Any) -> None:
    """The inspector's own limits, around a parser that misbehaves."""
    written = tmp_path / "written"
    code = f"from core.uploads import inspector as i; i.SECONDS = 1; i.limit(); {ENDS[way].format(path=written)}"
    monkeypatch.setattr(inspection, "COMMAND", ["-c", code])
    with pytest.raises(ValidationFailed) as refused:
        checked(b"hello", name="a.txt")
    assert refused.value.details[0].code == "too_complex"
    assert not written.exists() or written.read_bytes() == b""


REACHES = {
    "a file": "open('manage.py')",
    "a file for writing": "open('{path}', 'wb')",
    "the network": "import socket; socket.socket()",
    "a pipe": "import os; os.pipe()",
}
TRIES = """
import socket
from core.uploads import inspector
inspector.load()
inspector.limit()
try:
    {deed}
except OSError as error:
    print('{{"refused": "' + error.strerror + '"}}')
else:
    print('{{"refused": "nothing"}}')
"""


@pytest.mark.parametrize("what", REACHES)
def test_a_parser_that_was_taken_over_reaches_nothing(what: str, tmp_path: Any, monkeypatch: Any) -> None:
    deed = REACHES[what].format(path=tmp_path / "written")
    monkeypatch.setattr(inspection, "COMMAND", ["-c", TRIES.format(deed=deed)])
    assert inspection._asked(b"hello") == ({"refused": "Too many open files"}, b"")


EVERY = [content for table in (GOOD, BAD_PDF, BAD_PICTURES, BAD_OFFICE, BAD_REST) for content, _expected in table.values()]
WITHIN = """
import json, pickle, sys
from core.uploads import inspector
inspector.load()
inspector.limit()
from core.uploads.rules.inspect import inspect
from core.uploads.rules.kinds import Refused
found = []
for content in pickle.load(sys.stdin.buffer):
    try:
        found.append(inspect(content)[0].content_type)
    except Refused as refused:
        found.append(refused.code)
print(json.dumps({"found": found}))
"""


def test_no_rule_needs_what_the_inspector_may_not_do(monkeypatch: Any) -> None:
    """Every file of the tables, judged where nothing can be loaded any more."""
    monkeypatch.setattr(inspection, "COMMAND", ["-c", WITHIN])
    expected = [told for table in (GOOD, BAD_PDF, BAD_PICTURES, BAD_OFFICE, BAD_REST) for _content, told in table.values()]
    assert inspection._asked(pickle.dumps(EVERY))[0]["found"] == expected


def test_the_inspector_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    monkeypatch.setattr(inspection, "COMMAND", ["-c", "import json, os; print(json.dumps(dict(os.environ)))"])
    seen, _kept = inspection._asked(b"hello")
    assert "PYTHONPATH" in seen and "do-not-tell" not in str(seen)


def test_an_answer_without_an_end_is_not_kept_in_memory() -> None:
    endless = [sys.executable, "-c", "import os\nwhile True: os.write(1, b'x' * 65536)"]
    with pytest.raises(NoAnswer, match="too much"):
        answer_of(endless, b"x" * 1_000_000, seconds=600, most=100_000, environment={})


def test_nobody_is_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "PATIENCE", 0.1)
    monkeypatch.setattr(inspection, "COMMAND", ["-c", "import time; time.sleep(3600)"])
    with pytest.raises(ValidationFailed, match="too complicated"):
        checked(b"x" * 1_000_000, name="a.txt")


def test_few_files_are_checked_at_once_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are sent, most threads serve everybody else."""
    monkeypatch.setattr(inspection, "QUEUE", 0.01)
    with ExitStack() as others:
        for _ in range(2):
            others.enter_context(inspection._a_place())
        with pytest.raises(ManyFiles):  # it waited, and none became free
            checked(b"hello", name="a.txt")
    with ExitStack() as others:
        for _ in range(3):
            others.enter_context(inspection.PLACES)
        with pytest.raises(ManyFiles):  # enough wait already
            checked(b"hello", name="a.txt")
    assert checked(b"hello", name="a.txt").name == "a.txt"


def test_a_document_made_to_be_read_again_and_again_is_read_once() -> None:
    """Beginnings of streams without an end: looked for from each of them, the end would take the inspector's whole time."""
    content = files.pdf().replace(b"startxref", b"% " + b"stream\n" * 100_000 + b"startxref")
    assert checked(content, name="a.pdf").content == content


def test_the_inspector_needs_no_settings() -> None:
    """Else it would hold the database's address and the keys, and start slowly."""
    code = "import sys, core.uploads.rules.inspect; print([m for m in sys.modules if m.startswith(('django', 'hms'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("letter.pdf", "letter.pdf"),
        ("Überweisung 漢字.PDF", "Überweisung 漢字.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\temp\\letter.pdf", "letter.pdf"),
        ("invoice.pdf.exe", "invoice.pdf.exe.pdf"),
        ("evil\u202efdp.exe", "evilfdp.exe.pdf"),
        ('a<b>:"|?*c.pdf', "a_b______c.pdf"),
        ("line\r\nSet-Cookie: a=b.pdf", "line Set-Cookie_ a=b.pdf"),
        ("CON.pdf", "document CON.pdf"),
        ("nul.tar.pdf", "document nul.tar.pdf"),
        (".htaccess", "htaccess.pdf"),
        ("...", "document.pdf"),
        ("", "document.pdf"),
        ("\x00\u200b.pdf", "document.pdf"),
        ("x" * 500 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_names_are_safe_and_end_as_their_kind(given: str, kept: str) -> None:
    from core.uploads.names import safe_name
    from core.uploads.rules.kinds import PDF

    assert safe_name(given, PDF) == kept


def test_a_text_is_not_opened_by_a_spreadsheet() -> None:
    assert checked(b"=cmd|' /C calc'!A0", name="list.csv").name == "list.csv.txt"
