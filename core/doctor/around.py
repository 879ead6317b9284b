"""What is around: health's own checks with what to do about each, the mail server, backups, memory."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from core.backup.errors import BackupTrouble
from core.backup.stores import store_at
from core.doctor.findings import Finding, Verdict, fail, ok, warn
from core.health import checks as health
from core.health.checks import Status

SMTP_SECONDS = 5.0
MB = 1024 * 1024
VERDICTS = {Status.HEALTHY: Verdict.OK, Status.UNHEALTHY: Verdict.FAIL}  # all else is to be looked at
UNSEEN = "This can't be seen while the database is away."
REMEDIES = {
    "database": "See what is said of the database.",
    "migrations": "manage.py preflight tells what they would do, manage.py migrate applies them.",
    "access_log": "Let the user that runs HMS write to HMS_SPOOL_DIR, and free its disk (docs/access-log.md).",
    "replica": "Look at the replica's log; the primary serves meanwhile (docs/operators.md).",
    "cache": "Is Redis running, and does REDIS_URL lead there?",
    "events": "Start the web process anew.",
    "broker": "Is Redis running, and does HMS_BROKER_URL lead there? Without Redis: can var/broker be written?",
    "workers": "Start manage.py worker, or more of them (docs/jobs.md).",
    "clock": "manage.py worker starts one; else start manage.py clock.",
    "disk": "Free space, or move the folders to a larger disk.",
    "memory": "Raise the limit, or lower WEB_CONCURRENCY and HMS_CACHE_BYTES.",
    "certificate": "Renew it, and reload the front.",
    "backup": "manage.py backup make tells what is wrong with it (docs/backup.md).",
    "external_systems": "Look under External systems in the administration.",
}


def looks(without: frozenset[str] = frozenset({"database", "events"})) -> Iterator[Finding]:
    """What health looks at, but for what is examined more closely here, and for what is true of web processes alone."""
    for one in health.look(health.checks()):
        if one.name in without:
            continue
        verdict = VERDICTS.get(one.status, Verdict.WARN)
        sentence = UNSEEN if one.status is Status.UNKNOWN else one.note or "This is well."
        remedy = "" if verdict is Verdict.OK else REMEDIES.get(one.name, "See docs/monitoring.md.")
        yield Finding(one.name.replace("_", " "), verdict, sentence + _figures(one.figures), remedy)


def _figures(figures: dict[str, Any]) -> str:
    numbers = {name: value for name, value in figures.items() if isinstance(value, int | float)}
    said = ", ".join(f"{name.replace('_', ' ')} {value:,.0f}" for name, value in numbers.items())
    return f" ({said})" if said else ""


def mail() -> Iterator[Finding]:
    """Can the mail server be reached? It is greeted by nobody and sent nothing."""
    options: dict[str, Any] = settings.MAILERS.get("default", {}).get("OPTIONS", {})
    host, port = options.get("host"), options.get("port")
    if not host:
        sentence = "There is no mail server: nobody gets invitations, codes or reminders by e-mail."
        yield warn("mail", sentence, "Set EMAIL_HOST and the variables beside it (.env.example).")
        return
    try:
        socket.create_connection((host, port), SMTP_SECONDS).close()
    except OSError as error:
        sentence = f"The mail server {host}:{port} can't be reached ({error.strerror or type(error).__name__})."
        yield fail("mail", sentence, "Is it running, is the port right (EMAIL_PORT), and does the firewall let HMS out?")
    else:
        yield ok("mail", f"The mail server {host}:{port} can be reached.")


def redis() -> Iterator[Finding]:
    """That it answers is among health's own checks; here: is it missing where it matters?"""
    if not settings.REDIS_URL:
        processes = settings.HMS_RATE_PROCESSES
        sentence = f"There is no Redis: HMS does without it; {processes} web processes share out rate limits between them."
        yield ok("redis", sentence)


def backups() -> Iterator[Finding]:
    if not settings.HMS_BACKUP_TARGET:
        yield warn("backups", "HMS makes no backups.", "Set HMS_BACKUP_TARGET, unless something else makes them (docs/backup.md).")
        return
    try:
        names = store_at(settings.HMS_BACKUP_TARGET).names()
    except (BackupTrouble, OSError) as error:
        sentence = f"The place of the backups can't be read ({type(error).__name__})."
        yield fail("backups", sentence, "Do HMS_BACKUP_TARGET and its credentials lead there? Is it mounted?")
        return
    yield ok("backups", f"{len(names)} backups lie at their place.")
    if not settings.HMS_BACKUP_KEYS:
        sentence = "Backups are locked with HMS_ENCRYPTION_KEYS: who loses this machine's keys can't open them either."
        yield warn("backups", sentence, "Set HMS_BACKUP_KEYS, and keep them where the backups and this machine are not.")
    folder = settings.BASE_DIR / settings.HMS_BACKUP_TARGET
    if "://" not in settings.HMS_BACKUP_TARGET and _same_disk(folder, Path(settings.VAR_DIR)):
        sentence = "Backups lie on the same disk as what they are to save."
        yield warn("backups", sentence, "Take another disk, or a store elsewhere (s3://...).")


def _same_disk(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.stat().st_dev == other.stat().st_dev


def memory() -> Iterator[Finding]:
    """Is there room for one worker process as large as it may become?"""
    from core.memory.limits import control_groups

    limit = min((one.limit for one in control_groups()), default=0)
    if limit and limit < settings.HMS_WORKER_MAX_MB * MB:
        sentence = (
            f"The limit is {limit // MB} MB, and one worker process may take {settings.HMS_WORKER_MAX_MB} (HMS_WORKER_MAX_MB)."
        )
        yield warn("memory", sentence, "Raise the limit of the container, or lower HMS_WORKER_MAX_MB.")
