"""The files of the pages can be collected under hashed names: a cycle of imports between modules would stop `make demo`."""

from pathlib import Path
from typing import Any

from django.core.management import call_command


def test_every_file_gets_a_hashed_name(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # ours alone: the others take seconds
    call_command("collectstatic", interactive=False, verbosity=0)
    names = {path.name for path in (tmp_path / "js").iterdir()}
    assert "frame.js" in names
    assert any(name.startswith("frame.") and name not in ("frame.js", "frame.js.gz") for name in names)
