"""The form of a clinic's file: what is said at its beginning and at its end, and the key that opens it."""

import base64
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from core.backup.errors import BackupTrouble, Damaged, WrongKey

HEAD, TABLES, KEYS = "clinic.json", "tables/", "keys.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Head:
    """Comes first. `columns` by table; `migrations`: app.name of all that the database had."""

    clinic: str
    slug: str
    name: str
    taken_at: str  # ISO 8601, UTC; what was committed before is in the file
    migrations: list[str]
    columns: dict[str, list[str]]
    format: int = FORMAT

    @property
    def clinic_id(self) -> UUID:
        return UUID(self.clinic)


@dataclass(slots=True)
class Manifest:
    """Comes last. `tables`: rows, and the sum of their digests over the columns that stay what they were. `documents`: place and
    SHA-256. `missing`: documents without a file. `trail`: what the seals of the clinic said as it was exported."""

    tables: dict[str, tuple[int, str]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    trail: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.tables.values())


def packed(said: Head | Manifest) -> bytes:
    return json.dumps(asdict(said), separators=(",", ":")).encode()


def read_head(content: bytes) -> Head:
    """Raises Damaged for a form that a later HMS has written."""
    values = json.loads(content)
    if values.get("format") != FORMAT:
        raise Damaged("The file was written by another version of HMS, in a form that this one doesn't know.")
    return Head(**values)


def read_manifest(content: bytes) -> Manifest:
    values = json.loads(content)
    values["tables"] = {name: (rows, total) for name, (rows, total) in values["tables"].items()}
    return Manifest(**values)


def new_key(path: Path) -> list[str]:
    """A key of its own in a new file that only its owner may read. Raises BackupTrouble when there is one already."""
    text = f"1:{base64.urlsafe_b64encode(os.urandom(32)).decode()}"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
    except OSError as error:
        raise BackupTrouble(f"The key can't be written to {path}: {error.strerror}.") from error
    return [text]


def read_key(path: Path) -> list[str]:
    """Raises BackupTrouble, WrongKey for what is no key."""
    try:
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupTrouble(f"The key can't be read from {path}.") from error
    number, _, encoded = text.partition(":")
    try:
        if number.isdigit() and len(base64.urlsafe_b64decode(encoded)) == 32:
            return [text]
    except ValueError:
        pass
    raise WrongKey(f"{path} holds no key that export_clinic has written.")
