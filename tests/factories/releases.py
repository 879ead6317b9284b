"""Releases of HMS as they lie on a machine: each in a folder of its own, `app` is a link to the one that is to run."""

import shutil
import subprocess
from pathlib import Path

from tests.factories.server import ROOT

# What the next release changes. The middleware takes its name from a module that is old and had no such name before.
MARK = "X-Release"
MIDDLEWARE = """

class Released:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        from core.redaction import RELEASE
        response = self.get_response(request)
        response["X-Release"] = RELEASE
        return response
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("{app}", "{last}")]
    operations = [
        migrations.AddField("{model}", "release_note", models.CharField(max_length=20, default="", db_default="")),
    ]
"""


def first_release(folder: Path) -> Path:
    """The tree as git knows it, without what lies beside it (var, environments)."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def next_release(before: Path, folder: Path) -> Path:
    """The same, with a header on every answer and a column more on the patients (expand)."""
    shutil.copytree(before, folder, ignore=shutil.ignore_patterns("__pycache__"))
    _append(folder / "core/redaction.py", '\nRELEASE = "next"\n')
    _append(folder / "core/middleware.py", MIDDLEWARE)
    _append(folder / "hms/settings.py", '\nMIDDLEWARE.insert(0, "core.middleware.Released")\n')
    migrations = folder / "patients/migrations"
    last = max(file.stem for file in migrations.glob("0*.py"))
    text = MIGRATION.format(app="patients", model="patient", last=last)
    (migrations / f"{int(last[:4]) + 1:04}_release_note.py").write_text(text)
    return folder


def put_in_place(link: Path, release: Path) -> None:
    """At once: whoever follows the link finds the one or the other."""
    draft = link.with_name(f"{link.name}.new")
    draft.symlink_to(release)
    draft.replace(link)


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)
