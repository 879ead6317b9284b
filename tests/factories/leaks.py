"""Looks for what is known of patients in everything that a run has written."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import psutil

if TYPE_CHECKING:
    from tests.factories.server import Server


def spelt(value: str) -> set[bytes]:
    """How a value may stand somewhere: as it is, in an address, in JSON, without the spaces."""
    forms = {value, quote(value), quote_plus(value), json.dumps(value)[1:-1], value.replace(" ", "")}
    return {form.encode() for form in forms if len(form) > 4}


def traces_of(values: Iterable[str], written: Mapping[str, bytes]) -> list[str]:
    """`place: value` for each value that stands in a place, in any spelling, whatever the case."""
    lowered = {place: content.lower() for place, content in written.items()}
    return sorted(
        f"{place}: {value}"
        for value in values
        for place, content in lowered.items()
        if any(form.lower() in content for form in spelt(value))
    )


def redis_content(client: Any) -> dict[str, bytes]:
    """Keys and values, as Redis gives them."""
    found = {}
    for key in client.scan_iter():
        found[f"redis {key!r}"] = key + b"\n" + _value_of(client, key)
    return found


def _value_of(client: Any, key: bytes) -> bytes:
    kind = client.type(key).decode()
    readers = {"string": client.get, "hash": client.hgetall, "set": client.smembers}
    if kind in readers:
        return repr(readers[kind](key)).encode()
    return repr(client.lrange(key, 0, -1) if kind == "list" else client.zrange(key, 0, -1) if kind == "zset" else kind).encode()


def files_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield f"file {path.name}", str(path).encode() + b"\n" + path.read_bytes()


def database_dump(server: "Server") -> dict[str, bytes]:
    """What a backup of the database holds: every table's rows, as COPY writes them."""
    found = {}
    with server.connect() as connection:
        tables = connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        for (table,) in tables.fetchall():
            with connection.cursor() as cursor, cursor.copy(f'COPY "{table}" TO STDOUT (FORMAT binary)') as copy:  # type: ignore[arg-type]
                found[f"table {table}"] = b"".join(copy)
    return found


def processes_of(server: "Server") -> bytes:
    """What the machine's list of processes shows of them, arguments and all."""
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    shown = []
    for one in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it ends just now
            shown.append(" ".join(one.cmdline()))
    return "\n".join(shown).encode()
