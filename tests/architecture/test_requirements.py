"""What runs is what requirements.txt installs: no module comes from a distribution that only the tests' environment has."""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

from tests.factories.server import ROOT

# Loaded by name, at work: what a broker's, a cache's or a server's address asks for.
BY_NAME = (
    "kombu.transport.redis", "kombu.transport.filesystem", "celery.bin.worker", "celery.apps.beat", "celery.concurrency.prefork",
    "django_redis.client", "gunicorn.workers.gthread", "psycopg_pool", "obstore",
)  # fmt: skip
LOADS = """
import importlib, pkgutil, sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Hidden())
import django
django.setup()
for name in {names!r}:
    importlib.import_module(name)
for package in {packages!r}:
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        importlib.import_module(found.name)
"""
PACKAGES = ("core", "clinics", "patients", "appointments")


def spelt(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_by(path: Path) -> set[str]:
    """The distributions that `pip install -r` brings, with all that they ask for on this machine."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    waiting = [Requirement(line) for line in lines if line]
    known: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            if (key := (spelt(wanted.name), extra)) in known:
                continue
            known.add(key)
            try:
                further = [Requirement(one) for one in requires(wanted.name) or []]
            except PackageNotFoundError:
                continue
            waiting += [one for one in further if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in known}


def loaded_without(hidden: set[str]) -> "subprocess.CompletedProcess[str]":
    """HMS, all of it, in a process in which these modules are not there."""
    program = LOADS.format(hidden=hidden, names=BY_NAME, packages=PACKAGES)
    environment = {"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "hms.settings"}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_everything_that_runs_is_installed_by_the_requirements() -> None:
    allowed = installed_by(ROOT / "requirements.txt")
    owners = packages_distributions()
    others = {module for module, names in owners.items() if not {spelt(one) for one in names} & allowed}
    assert {"pytest", "playwright", "locust"} <= others
    told = loaded_without(others)
    assert told.returncode == 0, told.stderr[-2000:]


def test_what_is_missing_is_noticed() -> None:
    assert "No module named 'packaging" in loaded_without({"packaging"}).stderr


def test_the_walk_finds_what_a_distribution_asks_for() -> None:
    found = installed_by(ROOT / "requirements.txt")
    assert {"django", "sqlparse", "psycopg-pool", "anyio"} <= found
    assert not {"pytest", "locust", "ruff"} & found
