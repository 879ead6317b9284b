"""Those who call, see and finish: doctors and nurses, and the desk once the day is over."""

from collections.abc import Callable, Iterable
from typing import Any

from hms.simulation.desk import QUEUE, VISITS
from hms.simulation.people import LISTS, ClinicDay, Colleague, pick
from hms.simulation.script import Act

type Later = tuple[float, Callable[[], Iterable["Later"]]]  # seconds from now on the day's clock, and what is done then

NOT_THERE = 0.08  # of those who are called
SENT_ON = 0.06
SHORTEST, LONGEST = 300, 1500  # seconds inside


class Consulting:
    """A doctor who calls whoever is next, sees them, writes what there is to write, and finishes."""

    def __init__(self, who: Colleague, day: ClinicDay) -> None:
        self.who, self.day = who, day

    def call(self, act: Act) -> list[Later] | None:
        """None: nobody waits. Else what follows from the call."""
        waiting = self.who.rows("queue", QUEUE, noun="ticket", status="waiting,transferred", day=self.day.day, limit=LISTS)
        first = pick(waiting, act.chances[0])
        if first is None:
            return None
        body = {"location": first["location"]["id"], "provider": first["provider"]["id"] if first["provider"] else None}
        ticket = self.who.row("call", "POST", f"{QUEUE}/call-next", body, noun="ticket")
        if ticket is None:
            return None
        if act.chances[1] < NOT_THERE:
            return [(120.0, lambda: self._again(ticket, act))]
        return [(30.0, lambda: self._see(ticket, act))]

    def _again(self, ticket: dict[str, Any], act: Act) -> list[Later]:
        """Called once more; who doesn't come is passed over, and half of these turn up later."""
        if self._step(ticket, "recall") is None or self._step(ticket, "skip") is None or act.chances[2] < 0.5:
            return []
        return [(600.0, lambda: self._put_back(ticket))]

    def _put_back(self, ticket: dict[str, Any]) -> list[Later]:
        self._step(ticket, "put-back")
        return []

    def _see(self, ticket: dict[str, Any], act: Act) -> list[Later]:
        inside = self._step(ticket, "serve")
        if inside is None:
            return []
        if act.chances[3] < SENT_ON and (group := inside["series"]):
            self.who.row("transfer", "POST", f"{QUEUE}/{ticket['id']}/transfer", {"series": group["id"]}, noun="ticket")
            return []
        return [(SHORTEST + act.chances[4] * (LONGEST - SHORTEST), lambda: self._finish(inside))]

    def _finish(self, ticket: dict[str, Any]) -> list[Later]:
        """The visit's notes are written while nobody else has changed it, then patient and visit are done."""
        if ticket["appointment"]:
            self._write_notes(ticket["appointment"])
        self._step(ticket, "finish")
        return []

    def _write_notes(self, visit_id: str) -> None:
        seen = self.who.ask("visit", "GET", f"{VISITS}/{visit_id}", noun="appointment")
        if seen is not None and seen.status == 200:
            body = {"notes": "Seen. Advice given, nothing prescribed."}
            self.who.row("notes", "PATCH", f"{VISITS}/{visit_id}", body, noun="appointment", If_Match=seen.etag)

    def _step(self, ticket: dict[str, Any], name: str) -> dict[str, Any] | None:
        return self.who.row(name, "POST", f"{QUEUE}/{ticket['id']}/{name}", {}, noun="ticket")

    def close(self) -> None:
        """The doors are shut: who is inside is finished, who still waits goes home."""
        for status, step in (("serving", "finish"), ("called,skipped,waiting,transferred", "leave")):
            while tickets := self.who.rows("queue", QUEUE, noun="ticket", status=status, day=self.day.day, limit=LISTS):
                if not any(self._step(ticket, step) for ticket in tickets):
                    break
