"""Somebody at work in a clinic: asks HMS, comes back when it asks them to, and notes what they were told."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Event
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from hms.simulation.calling import Caller, Reply
from hms.simulation.record import KEPT, Answer, Record

TRIES = 12
LONGEST_WAIT = 3.0  # seconds before the next try, whatever the answer proposes
LISTS = 100  # rows


@dataclass
class ClinicDay:
    """What the people of one clinic know together. `expected`: today's visits in their order, at the end those booked on the
    way. `kiosks`: location -> path."""

    slug: str
    id: UUID
    day: str  # the clinic's own
    services: list[dict[str, Any]] = field(default_factory=list)
    locations: list[str] = field(default_factory=list)
    patients: list[dict[str, Any]] = field(default_factory=list)
    series: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    booked: list[str] = field(default_factory=list)  # visits of the simulation's own
    kiosks: dict[str, str] = field(default_factory=dict)
    strangers: list[tuple[str, str]] = field(default_factory=list)  # noun and id of another clinic's records


class Colleague(Caller):
    """One person, or one system, of a clinic. Everything is asked again, a write with the same key, until HMS has decided."""

    def __init__(self, host: str, email: str, password: str, record: Record, over: Event) -> None:
        self.record, self.over = record, over
        self.clinic_id: UUID | None = None
        super().__init__(host, email, password)

    def ask(self, kind: str, method: str, path: str, body: Any = None, *, noun: str = "", **headers: str) -> Reply | None:
        """`noun` says what the answer is about, if that is to be remembered. None: HMS has not decided after so many tries."""
        if method != "GET":
            headers.setdefault("Idempotency_Key", str(uuid4()))
        for _ in range(TRIES):
            reply = self._try(kind, method, path, body, headers)
            if reply is not None and not _to_be_repeated(reply):
                if reply.status == 401 and self.email:
                    self.sign_in()
                    continue
                self._note(method, noun, reply)
                return reply
            if self.over.wait(_pause(reply)):
                break
        self.record.gave_up(f"{kind}: {'no answer' if reply is None else reply.status}")
        return None

    def standing(self) -> "Colleague":
        """Somebody at a screen in the same house, whom HMS doesn't know."""
        return Colleague(self.host, "", "", self.record, self.over)

    def row(self, kind: str, method: str, path: str, body: Any = None, *, noun: str, **headers: str) -> dict[str, Any] | None:
        """The record that the answer is about; None when it was refused."""
        reply = self.ask(kind, method, path, body, noun=noun, **headers)
        return reply.data if reply is not None and reply.status < 300 else None

    def rows(self, kind: str, path: str, *, noun: str = "", **parameters: Any) -> list[dict[str, Any]]:
        """The first page of a list."""
        reply = self.ask(kind, "GET", f"{path}?{urlencode(parameters)}" if parameters else path, noun=noun)
        return list(reply.data) if reply is not None and reply.status == 200 else []

    def _try(self, kind: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply | None:
        started = time.perf_counter()
        try:
            reply = self.send(method, path, body, **headers)
        except (OSError, HTTPException):  # the connection broke: the same is asked again
            self.record.answered(Answer(kind, 0, (time.perf_counter() - started) * 1000))
            return None
        took = (time.perf_counter() - started) * 1000
        self.record.answered(Answer(kind, reply.status, took, reply.error.get("code", ""), _to_be_repeated(reply)))
        return reply

    def _note(self, method: str, noun: str, reply: Reply) -> None:
        if not noun or reply.status not in (200, 201) or self.clinic_id is None:
            return
        rows = reply.data if isinstance(reply.data, list) else [reply.data]
        self.record.saw(self.clinic_id, noun, rows)
        if method != "GET" and isinstance(reply.data, dict) and noun in KEPT:
            self.record.promised(self.clinic_id, noun, reply.data)


def _to_be_repeated(reply: Reply) -> bool:
    """503, 429, and a 409 of somebody who was at the same row, carry Retry-After."""
    return bool(reply.retry_after) and reply.status in (409, 429, 503)


def _pause(reply: Reply | None) -> float:
    return min(LONGEST_WAIT, float(reply.retry_after)) if reply is not None else 0.5


def pick[One](choices: list[One], chance: float) -> One | None:
    """The one that a number from 0 to 1 stands for; None of none."""
    return choices[min(int(chance * len(choices)), len(choices) - 1)] if choices else None
