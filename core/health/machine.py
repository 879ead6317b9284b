"""The machine, or the container's share of it: disk, memory, the certificate that the front shows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from core.audit.draining import spool
from core.audit.spool import trouble_with
from core.health.checks import Status, Unwell
from core.memory.limits import memory_share

DISK = 85.0, 95.0  # percent of a disk in use: degraded, unhealthy
MEMORY = 90.0, 95.0  # percent of the memory that may be used
CERTIFICATE = 14.0, 3.0  # days that it is still good for


def disk() -> dict[str, float]:
    """The fullest of the disks that hold HMS's files."""
    folders = {Path(one) for one in (settings.VAR_DIR, settings.HMS_UPLOADS_DIR, settings.HMS_SPOOL_DIR)}
    usages = [shutil.disk_usage(_existing(folder)) for folder in folders]
    used, free = max((one.used / (one.used + one.free) * 100, one.free) for one in usages)
    figures = {"usage_percent": round(used, 1), "free_bytes": float(free)}
    _judge("The disk", used, DISK, figures)
    return figures


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())


def memory() -> dict[str, float]:
    """Of the container's limit if there is one below the machine's memory, else of the machine's memory; or of the limit of the
    process that is asked, when that is nearer."""
    share = memory_share()
    figures = {"usage_percent": round(share.percent, 1), "limit_bytes": float(share.limit)}
    _judge(f"The memory of the {share.of}", share.percent, MEMORY, figures)
    return figures


def _judge(what: str, percent: float, limits: tuple[float, float], figures: dict[str, float]) -> None:
    degraded, unhealthy = limits
    if percent >= degraded:
        status = Status.UNHEALTHY if percent >= unhealthy else Status.DEGRADED
        raise Unwell(f"{what} is {percent:.0f} % full.", status, figures)


def has_certificate() -> bool:
    return bool(settings.HMS_CERTIFICATE)


def certificate() -> dict[str, float]:
    """How many days the first certificate of the file is still good for."""
    from cryptography import x509  # takes megabytes, and most installations have it shown by their front

    try:
        found = x509.load_pem_x509_certificate(Path(settings.HMS_CERTIFICATE).read_bytes())
    except OSError as error:
        raise Unwell(f"It can't be read ({error.strerror}).") from error
    except ValueError as error:
        raise Unwell("The file holds no certificate in PEM form.") from error
    days = (found.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86400
    figures, (degraded, unhealthy) = {"days": round(days, 1)}, CERTIFICATE
    if days <= degraded:
        status = Status.UNHEALTHY if days <= unhealthy else Status.DEGRADED
        raise Unwell("It has expired." if days <= 0 else f"It expires in {days:.1f} days.", status, figures)
    return figures


def access_log() -> dict[str, float]:
    """Can an event of the access log be spooled? Else patients' data is withheld. A file is made and removed."""
    if trouble := trouble_with(spool.folder):
        raise Unwell(f"Nothing can be spooled: {trouble}.")
    return {}
