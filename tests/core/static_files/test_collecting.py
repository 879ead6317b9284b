"""The files of the pages can be collected: under hashed names, packed once for each content, whole at every moment."""

import gzip
import re
from pathlib import Path
from typing import Any

import brotli
import pytest
from django.core.management import call_command

from core.static_files.compression import KeepingCompressor
from core.static_files.storage import HashedStaticFiles


@pytest.fixture
def collected(settings: Any, tmp_path: Path) -> Path:
    settings.STATIC_ROOT, settings.VAR_DIR = tmp_path / "static", tmp_path
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # ours alone: the others take seconds
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path / "static"


def test_every_file_gets_a_hashed_name(collected: Path) -> None:
    names = {path.name for path in (collected / "js").iterdir()}
    assert "frame.js" in names
    assert any(re.fullmatch(r"frame\.[0-9a-f]{12}\.js", name) for name in names)


def test_what_is_packed_is_what_was_there(collected: Path) -> None:
    sheets = [path for path in (collected / "css").iterdir() if path.suffix == ".css"]
    for sheet in sheets:
        packed, smaller = Path(f"{sheet}.gz"), Path(f"{sheet}.br")
        if packed.exists():
            assert gzip.decompress(packed.read_bytes()) == sheet.read_bytes()
            assert brotli.decompress(smaller.read_bytes()) == sheet.read_bytes()
            assert smaller.stat().st_size < packed.stat().st_size
    assert (collected / "css" / "hms.css.br").exists()


def pack(folder: Path, path: Path) -> KeepingCompressor:
    compressor = KeepingCompressor(folder, quiet=True)
    compressor.compress(str(path))
    return compressor


def test_a_content_is_packed_once_under_whatever_name(tmp_path: Path) -> None:
    for name in ("one.js", "two.js"):
        (tmp_path / name).write_text("let x = 1;\n" * 500)
    assert pack(tmp_path / "packed", tmp_path / "one.js").packed == 2, "by brotli and by gzip"
    assert pack(tmp_path / "packed", tmp_path / "two.js").packed == 0
    (tmp_path / "two.js").write_text("let y = 2;\n" * 500)
    assert pack(tmp_path / "packed", tmp_path / "two.js").packed == 2
    assert brotli.decompress((tmp_path / "two.js.br").read_bytes()) == (tmp_path / "two.js").read_bytes()


def test_what_is_not_worth_packing_leaves_nothing_of_its_older_content(tmp_path: Path) -> None:
    file = tmp_path / "one.js"
    file.write_text("let x = 1;\n" * 500)
    pack(tmp_path / "packed", file)
    file.write_text("1")
    pack(tmp_path / "packed", file)
    assert {path.name for path in tmp_path.iterdir()} == {"one.js", "packed"}


def test_what_nobody_wants_any_more_is_forgotten(tmp_path: Path) -> None:
    import os

    file = tmp_path / "one.js"
    file.write_text("let x = 1;\n" * 500)
    compressor = pack(tmp_path / "packed", file)
    compressor.forget()
    entries = list((tmp_path / "packed").iterdir())
    assert len(entries) == 2
    os.utime(entries[0], (0, 0))
    compressor.forget()
    assert list((tmp_path / "packed").iterdir()) == entries[1:]


def test_a_server_that_sends_a_file_meanwhile_has_the_whole_of_it(tmp_path: Path) -> None:
    file = tmp_path / "one.js"
    file.write_text("let x = 1;\n" * 500)
    pack(tmp_path / "packed", file)
    with Path(f"{file}.gz").open("rb") as sending:
        file.write_text("let y = 2;\n" * 900)
        pack(tmp_path / "packed", file)
        assert gzip.decompress(sending.read()) == b"let x = 1;\n" * 500


def test_the_storage_uses_it(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    assert isinstance(HashedStaticFiles(location=tmp_path).create_compressor(quiet=True), KeepingCompressor)
