"""The secrets of a local installation, made once and kept beside its data; a server's come from its environment."""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

LATER: dict[str, Callable[[], str]] = {"HMS_TOKEN_KEY": lambda: "1:" + secrets.token_urlsafe(48)}  # not there from the start on


def local_secrets(var_dir: Path) -> dict[str, str]:
    """Return the secrets in `<var_dir>/secrets.json` (mode 0600), making the file the first time.

    Two processes that start at once agree: the file appears whole, and the first one wins.
    """
    path = var_dir / "secrets.json"
    if not path.exists():
        var_dir.mkdir(parents=True, exist_ok=True)
        draft = var_dir / f".secrets.{os.getpid()}.json"
        draft.touch(mode=0o600)
        draft.write_text(
            json.dumps(
                {
                    "SECRET_KEY": secrets.token_urlsafe(64),
                    "HMS_ENCRYPTION_KEY": "1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                    "HMS_SEARCH_KEY": secrets.token_urlsafe(32),
                    **{name: make() for name, make in LATER.items()},
                }
            )
        )
        try:
            os.link(draft, path)  # fails if another process was first, unlike a rename
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    found: dict[str, str] = json.loads(path.read_text())
    return found if found.keys() >= LATER.keys() else _completed(path)


def _completed(path: Path) -> dict[str, str]:
    """An older installation gets what came later. One process at a time, so all agree."""
    with path.with_name(".secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found: dict[str, str] = json.loads(path.read_text())
        found = {name: make() for name, make in LATER.items()} | found
        draft = path.with_name(f".secrets.{os.getpid()}.json")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(found))
        draft.replace(path)
        return found
