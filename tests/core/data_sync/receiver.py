"""A receiver of exports, written by docs/data-sync.md alone: nothing of HMS is imported here."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FRESH = 300  # seconds


@dataclass
class Copy:
    """What it keeps: kind -> id -> data. `status` is what it answers before it looks at a page; None: it takes it."""

    secret: str = ""
    status: Callable[[dict[str, Any]], int | None] = lambda _page: None
    kept: dict[str, dict[str, Any]] = field(default_factory=lambda: {"patients": {}, "appointments": {}})
    removed: dict[str, str] = field(default_factory=dict)
    pages: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    twice: int = 0
    refused: int = 0

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        if not self._is_theirs(headers.get("HMS-Signature", ""), body):
            self.refused += 1
            return 400
        page = json.loads(body)
        if (status := self.status(page)) is not None:
            return status
        key = headers["Idempotency-Key"]
        if key in self.keys:
            self.twice += 1
            return 200
        self.keys.append(key)
        self.pages.append(page)
        if page["kind"] == "end":
            self._end(page)
        elif page["kind"] in self.kept:
            self._write(page)
        return 200

    def _write(self, page: dict[str, Any]) -> None:
        for row in page["rows"]:
            if "removed" in row:
                self.kept[page["kind"]].pop(row["id"], None)
                self.removed[row["id"]] = row["removed"]
            else:
                self.kept[page["kind"]][row["id"]] = row["data"]

    def _end(self, page: dict[str, Any]) -> None:
        of_export = [one for one in self.pages if one["export"] == page["export"]]
        assert page["total_rows"] == sum(len(one["rows"]) for one in of_export)
        if page["mode"] == "full":
            for kind, rows in self.kept.items():
                came = {row["id"] for one in of_export if one["kind"] == kind for row in one["rows"]}
                self.kept[kind] = {key: data for key, data in rows.items() if key in came}

    def _is_theirs(self, header: str, body: bytes) -> bool:
        parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
        if not parts.get("t", "").isdigit() or abs(time.time() - int(parts["t"])) > FRESH:
            return False
        wanted = hmac.new(self.secret.encode("ascii"), parts["t"].encode("ascii") + b"." + body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, parts.get("v1", ""))

    def exports(self) -> list[list[str]]:
        """The kinds of the pages of each export, in their order."""
        found: dict[str, list[str]] = {}
        for page in self.pages:
            found.setdefault(page["export"], []).append(page["kind"])
        return list(found.values())
