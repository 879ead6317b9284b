"""The secrets of a local installation, made once and kept beside its data; a server's come from its environment."""

import base64
import json
import os
import secrets
from pathlib import Path


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
    return found
