"""The settings, secrets, folders and files of this machine. Needs neither database nor network, but for a name's look-up."""

import os
import socket
import stat
import tempfile
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.checks import CRITICAL, ERROR, WARNING, Tags, run_checks
from django.core.checks.registry import registry

from core.doctor.findings import Finding, fail, ok, warn

PRIVATE = stat.S_IRWXG | stat.S_IRWXO
ZONES = ("UTC", "Europe/London", "America/New_York")


def settings_checks() -> Iterator[Finding]:
    """Django's system checks, those for a deployment too where this is one; not those of models, which ask the database."""
    deployed = not (settings.DEBUG or settings.HMS_DEMO)
    tags = registry.tags_available(deployed) - {Tags.models, Tags.database}
    found = run_checks(tags=sorted(tags), include_deployment_checks=deployed)
    found = [one for one in found if one.level >= WARNING and not one.is_silenced()]
    for one in found:
        level = fail if one.level in (ERROR, CRITICAL) else warn
        yield level("settings", f"{one.msg} ({one.id})", str(one.hint or "See .env.example."))
    if not found:
        yield ok("settings", "The settings are well formed.")


def secrets() -> Iterator[Finding]:
    """Who may read the files that hold secrets?"""
    files = [settings.BASE_DIR / ".env"]
    if settings.EMBEDDED_POSTGRES:
        files.append(settings.VAR_DIR / "secrets.json")
    open_ones = [path for path in files if path.exists() and path.stat().st_mode & PRIVATE]
    for path in open_ones:
        sentence = f"Others on this machine may read {path}, which holds secrets."
        yield warn("secrets", sentence, f"chmod 600 {path}; if others have accounts here, take new secrets.")
    if not open_ones:
        yield ok("secrets", "The files with secrets are closed to others, or there are none.")


def folders() -> Iterator[Finding]:
    """Can documents, anchors of the audit trail and HMS's own files be written?"""
    places = {
        "documents (HMS_UPLOADS_DIR)": settings.HMS_UPLOADS_DIR,
        "anchors (HMS_AUDIT_ANCHORS_DIR)": settings.HMS_AUDIT_ANCHORS_DIR,
        "HMS's own files (HMS_VAR_DIR)": settings.VAR_DIR,
    }
    for what, folder in places.items():
        path = Path(folder)
        if not path.exists():
            sentence = f"The folder for {what} does not exist: {path}."
            remedy = "A new installation makes it when it is needed. Else it is not mounted, or the setting names another folder."
            yield warn("storage", sentence, remedy)
        elif trouble := _trouble_writing(path):
            remedy = "Give the user that runs HMS the right to write there, or free space on its disk."
            yield fail("storage", f"The folder for {what} can't be written: {path} ({trouble}).", remedy)
        else:
            yield ok("storage", f"The folder for {what} can be written.")


def _trouble_writing(folder: Path) -> str:
    """Makes a file and removes it; why that failed, or nothing."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"1")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def static_files() -> Iterator[Finding]:
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if manifest.exists():
        yield ok("static files", "Styles and scripts have been collected.")
    elif settings.DEBUG:
        yield ok("static files", "Styles and scripts are served as they lie, for DEBUG is on.")
    else:
        sentence = f"Styles and scripts have not been collected: there is no {manifest}. Pages can't be shown."
        yield fail("static files", sentence, "manage.py collectstatic --noinput")


def hosts() -> Iterator[Finding]:
    domain, allowed = settings.HMS_BASE_DOMAIN, settings.ALLOWED_HOSTS
    if "*" in allowed:
        yield warn("hosts", "ALLOWED_HOSTS lets every name in: a forged one could get into links in mails.", "Name your own.")
    elif domain not in allowed and not any(one.startswith(".") and f".{domain}".endswith(one) for one in allowed):
        yield fail("hosts", f"ALLOWED_HOSTS does not name {domain}: every request is refused.", f"Add {domain}.")
    try:
        socket.getaddrinfo(domain, None)
    except OSError:
        sentence = f"This machine does not know the name {domain} (HMS_BASE_URL)."
        yield warn("hosts", sentence, "Enter it in your DNS, or correct HMS_BASE_URL.")
    else:
        yield ok("hosts", f"{domain} is a name that is known here.")


def time_zones() -> Iterator[Finding]:
    """Python's own data; what the database has is compared where it is reachable."""
    known = zoneinfo.available_timezones()
    if missing := [name for name in ZONES if name not in known]:
        yield fail("time zones", f"Python has no data of {', '.join(missing)}.", "pip install -r requirements.txt (tzdata).")
    else:
        yield ok("time zones", f"Python knows {len(known)} time zones.")
