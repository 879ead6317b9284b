"""`manage.py memory_report`: which processes there are and what they hold, and who allocates in one of them."""

import json
import time
from typing import Any

import psutil
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.memory.asking import LONGEST, folder, write

PATIENCE = 30.0  # seconds beyond those that were asked for: the process looks every two, and may be busy
LOOK_EVERY = 0.1


class Command(BaseCommand):
    help = "List the web and worker processes with their memory; trace one of them for a while and say who allocates."

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--pid", type=int, help="Trace this process; it is slower meanwhile.")
        which.add_argument("--largest", action="store_true", help="Trace the largest one.")
        parser.add_argument("--seconds", type=float, default=20, help="How long (20).")
        parser.add_argument("--top", type=int, default=15, help="Rows of each list (15).")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["seconds"] <= LONGEST:
            raise CommandError(f"Between 0 and {LONGEST:.0f} seconds.")
        found = sorted(_processes(), key=lambda one: -one["rss"])
        said: dict[str, Any] = {"processes": found}
        if options["pid"] or options["largest"]:
            if not found:
                raise CommandError("No process of this installation runs here.")
            pid = options["pid"] or found[0]["pid"]
            if pid not in {one["pid"] for one in found}:
                raise CommandError("That is no web or worker process of this installation.")
            said["measured"] = _ask(pid, options["seconds"], options["top"])
        if options["json"]:
            self.stdout.write(json.dumps(said))
            return
        self._tell(said)

    def _tell(self, said: dict[str, Any]) -> None:
        self.stdout.write(f"{'pid':>8}  {'kind':8}{'RSS MB':>8}{'PSS MB':>8}{'own MB':>8}")
        for one in said["processes"]:
            sizes = "".join(f"{_megabytes(one[name]):>8}" for name in ("rss", "pss", "uss"))
            self.stdout.write(f"{one['pid']:>8}  {one['kind']:8}{sizes}")
        if (measured := said.get("measured")) is None:
            return
        self.stdout.write(f"\nProcess {measured['pid']}, within {measured['seconds']:.0f} s (growth: since half of them):")
        for title, rows in (("Held", measured["top"]), ("Grown", measured["growth"])):
            self.stdout.write(f"\n{title:>10} kB{'growth':>10} kB{'objects':>9}  line")
            for one in rows:
                kilobytes = f"{one['bytes'] / 1024:>13.1f}{one['growth_bytes'] / 1024:>13.1f}{one['count']:>9}"
                self.stdout.write(f"{kilobytes}  {one['place']}  ({one['component']})")
        self.stdout.write(f"\n{'kB':>13}{'growth kB':>13}  component")
        for one in measured["components"]:
            self.stdout.write(f"{one['bytes'] / 1024:>13.1f}{one['growth_bytes'] / 1024:>13.1f}  {one['component']}")
        self.stdout.write(f"\n{'objects':>13}{'growth':>13}  type")
        for one in measured["types"]:
            self.stdout.write(f"{one['count']:>13}{one['growth']:>13}  {one['type']}")
        for name, held in measured["caches"].items():
            self.stdout.write(f"\n{held / 1024:>13.1f} kB  cache {name}")


def _processes() -> list[dict[str, Any]]:
    """Those that live; what others have left behind is taken away."""
    found = []
    for file in folder().glob("*.process"):
        said = json.loads(file.read_text())
        try:
            process = psutil.Process(said["pid"])
            if process.create_time() != said["created"] or process.status() == psutil.STATUS_ZOMBIE:
                raise psutil.NoSuchProcess(said["pid"])
            memory = process.memory_full_info()
        except psutil.NoSuchProcess:
            for left in folder().glob(f"{said['pid']}.*"):
                left.unlink(missing_ok=True)
            continue
        found.append({**said, "rss": memory.rss, "pss": getattr(memory, "pss", 0), "uss": memory.uss})
    return found


def _ask(pid: int, seconds: float, top: int) -> dict[str, Any]:
    """Raises CommandError when the process ends meanwhile, or says nothing."""
    answer = folder() / f"{pid}.answer"
    answer.unlink(missing_ok=True)
    write(folder() / f"{pid}.ask", {"seconds": seconds, "top": top})
    until = time.monotonic() + seconds + PATIENCE
    while not answer.exists():
        if not psutil.pid_exists(pid):
            raise CommandError("The process ended meanwhile.")
        if time.monotonic() > until:
            raise CommandError("The process does not answer.")
        time.sleep(LOOK_EVERY)
    said: dict[str, Any] = json.loads(answer.read_text())
    answer.unlink()
    return said


def _megabytes(size: int) -> str:
    return f"{size / 2**20:.0f}"
