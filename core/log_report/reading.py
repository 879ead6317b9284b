"""Log files, line by line; what is no line of ours is counted and named, never shown: it may hold anything."""

import gzip
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import orjson

LONGEST = 1024 * 1024  # bytes of a line
NAMED = 10  # damaged lines that are named; of further ones only the number is known


class Reader:
    """`lines` that were read, `damaged` of them, `named`: where the first of these stand and what is wrong."""

    def __init__(self) -> None:
        self.lines = self.damaged = 0
        self.named: list[str] = []

    def read(self, names: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Each line that is an object. `-` is standard input; a name that ends in .gz is unpacked. Raises OSError."""
        for name in names:
            with _opened(name) as file:
                yield from self._read(name, file)

    def _read(self, name: str, file: IO[bytes]) -> Iterator[dict[str, Any]]:
        number = 0
        while raw := file.readline(LONGEST):
            number += 1
            self.lines += 1
            if not raw.endswith(b"\n") and len(raw) == LONGEST:
                _skip(file)
                self._damaged(name, number, f"longer than {LONGEST} bytes")
            elif stripped := raw.strip():
                found, trouble = _parsed(stripped)
                if found is None:
                    self._damaged(name, number, trouble)
                else:
                    yield found

    def _damaged(self, name: str, number: int, why: str) -> None:
        self.damaged += 1
        if len(self.named) < NAMED:
            self.named.append(f"{name}:{number}: {why}")


def _opened(name: str) -> IO[bytes]:
    if name == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    path = Path(name)
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _skip(file: IO[bytes]) -> None:
    while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _parsed(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None, "no JSON"
    if not isinstance(found, dict) or not isinstance(found.get("timestamp"), str):
        return None, "no log line of HMS"
    return found, ""
