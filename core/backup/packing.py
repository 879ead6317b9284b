"""What is inside a backup: a tar of the dump in pieces, then the documents, then the manifest that says what there must be."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from core.backup.errors import Damaged

DUMP, DOCUMENTS, MANIFEST = "database/", "documents/", "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class TableState:
    """A table's rows at the snapshot: how many, and the sum of their digests. Then what protects it."""

    rows: int
    sum: str
    secured: bool
    forced: bool
    policies: int
    triggers: int


@dataclass(slots=True)
class Manifest:
    """`taken_at`: ISO 8601, UTC; what was committed before it is in the backup. `documents`: place and SHA-256 of the stored file.

    `destroyed`: documents that somebody destroyed while the backup was made. `missing`: those whose file wasn't there.
    """

    taken_at: str
    server: int
    migrations: int
    format: int = FORMAT
    tables: dict[str, TableState] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)
    unvalidated: list[str] = field(default_factory=list)
    dump: str = ""
    documents: dict[str, str] = field(default_factory=dict)
    destroyed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def packed(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())


def read_manifest(content: bytes) -> Manifest:
    """Raises Damaged, also for a format that a later HMS has written."""
    values: dict[str, Any] = json.loads(content)
    if values.get("format") != FORMAT:
        raise Damaged("The backup was written by another version of HMS, in a form that this one doesn't know.")
    values["tables"] = {name: TableState(**state) for name, state in values["tables"].items()}
    return Manifest(**values)


def member(name: str, content: bytes) -> Iterator[bytes]:
    """One file of the tar."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield content
    yield bytes(-len(content) % tarfile.BLOCKSIZE)


def end() -> bytes:
    return bytes(2 * tarfile.BLOCKSIZE)


def members(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each, one in memory at a time. Raises Damaged."""
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Readable(pieces)), mode="r|") as archive:
            for info in archive:
                file = archive.extractfile(info)
                if file is None:
                    raise Damaged("The backup holds something that is no file.")
                yield info.name, file.read()
    except tarfile.TarError as error:
        raise Damaged("What the backup holds can't be read.") from error


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class _Readable(io.RawIOBase):
    """Pieces as a file that can only be read on."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._held = memoryview(piece)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count
