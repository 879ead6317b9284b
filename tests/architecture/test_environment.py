"""`.env.example` explains every variable that HMS reads, and no other."""

import os
import re
from pathlib import Path

import environ

PROJECT = Path(__file__).resolve().parent.parent.parent
READS = re.compile(r"""(?:env\.(?:str|bool|int|list|dict|float|url)|environ\.get)\(\s*["']([A-Z0-9_]+)["']""")
ENTRY = re.compile(r"#([A-Z0-9_]+)=(.*)")
READERS = ("hms", "core", "clinics", "patients", "appointments", "scripts")
THE_SHELLS_OWN = {"PATH", "DJANGO_SETTINGS_MODULE"}


def read_by_the_code() -> set[str]:
    sources = [path for folder in READERS for path in (PROJECT / folder).rglob("*.py")]
    return {name for path in sources for name in READS.findall(path.read_text())} - THE_SHELLS_OWN


def entries() -> dict[str, str]:
    lines = (PROJECT / ".env.example").read_text().splitlines()
    return {match[1]: match[2] for line in lines if (match := ENTRY.fullmatch(line))}


def test_every_variable_is_explained_and_every_explained_one_is_read() -> None:
    assert read_by_the_code() == set(entries())


def test_it_is_a_file_that_can_be_read_as_it_stands(tmp_path: Path) -> None:
    """Uncommented, each line is an assignment that django-environ understands."""
    copy = tmp_path / ".env"
    copy.write_text("".join(f"TEST_{name}={value}\n" for name, value in entries().items()))
    environ.Env.read_env(copy)
    for name, value in entries().items():
        assert os.environ.pop(f"TEST_{name}") == value
