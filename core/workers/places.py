"""Where a process runs, and whether a process that is named there still does."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

NAMESPACE = Path("/proc/self/ns/pid")
SLACK = timedelta(seconds=5)  # two readings of one process's start differ when the machine's clock was set meanwhile


def machine_name() -> str:
    """The host's name, and on Linux the number of the container's own list of processes: `web-1/4026531836`."""
    try:
        number = str(NAMESPACE.readlink()).strip("pid:[]")
    except OSError:
        return socket.gethostname()[:100]
    return f"{socket.gethostname()[:80]}/{number}"


def started(process: psutil.Process) -> datetime:
    return datetime.fromtimestamp(process.create_time(), UTC)


def is_gone(pid: int, started_at: datetime) -> bool:
    """Has the process of this machine with this id, begun at that moment, ended? Another may have its id by now."""
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE or abs(started(process) - started_at) > SLACK
    except psutil.NoSuchProcess:
        return True
