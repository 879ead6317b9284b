"""Another system beside a clinic: keeps a copy by reading what has changed, and listens to the stream."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from hms.simulation.desk import PATIENTS, VISITS
from hms.simulation.people import LISTS, ClinicDay, Colleague
from hms.simulation.streams import EventSource

STREAM = "/api/v2/events?channels=appointments,patients,queue"
OVERLAP = timedelta(seconds=30)  # what is committed late carries an earlier moment of change
AGAIN_AFTER = 0.5  # seconds


class Copy:
    """Patients that have changed since the day began, and visits from today on: id -> version."""

    def __init__(self, who: Colleague, day: ClinicDay) -> None:
        self.who, self.day = who, day
        self.patients: dict[UUID, int] = {}
        self.visits: dict[UUID, int] = {}
        self.read_until = datetime.now(UTC)
        self._cursors: list[str] = []  # of the pages of visits that were full, in their order

    def catch_up(self) -> None:
        """Read what has changed since the last time, and the last page of it once more."""
        began = datetime.now(UTC)
        since = quote((self.read_until - OVERLAP).isoformat())
        query = f"{PATIENTS}?updated_since={since}&ordering=updated&limit={LISTS}"
        for page in self._pages(query, "patient", []):
            self.patients.update({UUID(row["id"]): row["version"] for row in page})
        self.read_until = began
        parameters = {"from": self.day.day, "ordering": "updated_at", "limit": LISTS, "fields": "id,version"}
        for page in self._pages(f"{VISITS}?{urlencode(parameters)}", "", self._cursors):
            self.visits.update({UUID(row["id"]): row["version"] for row in page})

    def _pages(self, query: str, noun: str, cursors: list[str]) -> list[list[dict[str, Any]]]:
        """From the last but one cursor that is known on; `cursors` grows by those of the pages that were read."""
        del cursors[max(0, len(cursors) - 1) :]  # the newest page is read again: rows may have been committed late
        pages: list[list[dict[str, Any]]] = []
        while True:
            at = f"&cursor={quote(cursors[-1])}" if cursors else ""
            reply = self.who.ask("changes", "GET", f"{query}{at}", noun=noun)
            if reply is None or reply.status != 200:
                return pages
            pages.append(reply.data)
            following = reply.body["meta"]["page"]["next"]
            if not following:
                return pages
            cursors.append(following)


@dataclass
class Heard:
    """What a stream has told: position -> name and fields. `gaps`: from where to where it said that it can't tell."""

    since: int = -1  # the position of the first `ready`; -1: not yet
    events: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    twice: list[int] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    last: int = -1

    def take(self, frame: dict[str, Any]) -> None:
        kind, position = frame["type"], frame.get("id", -1)
        if kind == "ready" and self.since < 0:
            self.since = self.last = position
        elif kind == "event":
            if position in self.events:
                self.twice.append(position)
            self.events[position] = (frame["event"], frame["data"])
            self.last = position
        elif kind == "resync":
            self.gaps.append((self.last, position))
            self.last = position


class Listener(threading.Thread):
    """Reads a clinic's stream until it is told to stop; comes back with its last id whenever the stream ends."""

    def __init__(self, who: Colleague) -> None:
        super().__init__(daemon=True, name=f"stream of {who.email}")
        self.who, self.heard = who, Heard()
        self.over = threading.Event()
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self.opened = 0

    def run(self) -> None:
        try:
            while not self.over.is_set():
                self._listen()
                self.over.wait(AGAIN_AFTER)
        except BaseException as error:
            self.failure = error
        finally:
            self.ready.set()

    def until(self, position: int, seconds: float) -> bool:
        """Wait until the stream has told this position, or a later one. False: it did not in time."""
        waited = 0.0
        while self.heard.last < position and waited < seconds and self.is_alive():
            self.over.wait(0.1)
            waited += 0.1
        return self.heard.last >= position

    def stop(self) -> None:
        self.over.set()
        self.join(10)

    def _listen(self) -> None:
        headers = {"Authorization": f"Bearer {self.who.token}"}
        if self.heard.last >= 0:
            headers["Last_Event_ID"] = str(self.heard.last)
        try:
            source = EventSource(self.who.host, STREAM, None, **headers)
        except (OSError, HTTPException):  # nobody serves at this moment: it comes back
            return
        with source:
            if source.status == 401:
                self.who.sign_in()
            elif source.status == 200:
                self.opened += 1
                self._read(source)

    def _read(self, source: EventSource) -> None:
        taken = 0
        while True:
            ended = source.ended.wait(0.05) or self.over.is_set()
            frames = source.frames[taken:]
            taken += len(frames)
            for frame in frames:
                self.heard.take(frame)
            if self.heard.since >= 0:
                self.ready.set()
            if ended:
                return
