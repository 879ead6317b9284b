"""How much memory there may be used: by this process, its container, the machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.conf import settings

CGROUP = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
NO_LIMIT = 1 << 60  # bytes; older kernels write "no limit" as a number beyond this
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes that are used of a limit, and whose it is: `process`, `container` or `machine`."""

    used: int
    limit: int
    of: str

    @property
    def percent(self) -> float:
        return self.used / self.limit * 100


def memory_share() -> Share:
    """The fuller of this process's own limit (HMS_MEMORY_LIMIT_MB) and what it shares with others."""
    found = [shared_memory()]
    if settings.HMS_MEMORY_LIMIT_MB:
        found.append(Share(psutil.Process().memory_info().rss, settings.HMS_MEMORY_LIMIT_MB * 2**20, "process"))
    return max(found, key=lambda one: one.percent)


def shared_memory() -> Share:
    """Of the container's limit if there is one below the machine's memory, else of the machine's memory."""
    machine = psutil.virtual_memory()
    limited = [one for one in control_groups() if one.limit < machine.total]
    return max(limited, key=lambda one: one.percent, default=Share(machine.total - machine.available, machine.total, "machine"))


def control_groups() -> Iterator[Share]:
    """Of each group with a limit that this process is in, version 2 or 1. What can be dropped from the page cache at once is not
    counted as used."""
    for folder, (limit_file, used_file, dropped) in _folders():
        try:
            limit = (folder / limit_file).read_text().strip()
            used = int((folder / used_file).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except OSError:
            continue
        if limit.isdigit() and int(limit) < NO_LIMIT:
            yield Share(max(0, used - int(stat.get(dropped, 0))), int(limit), "container")


def _folders() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Its own group's folder and those above; in a container that sees no others, only the topmost is there."""
    paths = {VERSION_2: "/", VERSION_1: "/"}
    try:
        for line in OWN_GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                paths[VERSION_2] = path
            elif "memory" in controllers.split(","):
                paths[VERSION_1] = path
    except OSError:  # not Linux: none of the folders is there either
        return
    for files, top in ((VERSION_2, CGROUP), (VERSION_1, CGROUP / "memory")):
        own = Path(paths[files].lstrip("/"))
        for one in (own, *own.parents):
            yield top / one, files
