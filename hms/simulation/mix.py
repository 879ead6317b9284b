"""What people and machines do at HMS in the proportions of a working day, one thing after the other, by chance of a seed."""

import time
from collections.abc import Callable, Collection
from random import Random
from typing import Any, Protocol

from hms.simulation.desk import SEARCH, SYLLABLES, VISITS
from hms.simulation.people import pick

NEXT = {"confirmed": "check-in", "requested": "check-in", "checked_in": "start", "in_progress": "complete"}
# Of a hundred things that happen: what is looked at, and what is done.
SHARES = {
    "today": 24, "calendar": 8, "visits": 14, "patients": 4, "patient": 14, "slots": 10, "services": 6, "providers": 6,
    "search": 5, "step": 5, "book": 2, "register": 1, "me": 1,
}  # fmt: skip
PAGES = {"today": "/", "calendar": "/calendar/"}
PLAIN = {
    "visits": "/api/v2/appointments?limit=25", "patients": "/api/v2/patients", "services": "/api/v2/services",
    "providers": "/api/v2/providers", "me": "/api/v2/auth/me",
}  # fmt: skip
SEARCHED = ("an", "smith", "brown jo")


class Answered(Protocol):
    """What the mix has to know of an answer."""

    @property
    def status(self) -> int: ...

    @property
    def data(self) -> Any: ...


class Mix[Reply: Answered]:
    """One person's. `ask` sends to the API: kind, method, path, body; `page` reads a page: kind, path. Whoever may not write looks
    instead."""

    def __init__(
        self,
        ask: Callable[[str, str, str, Any], Reply],
        page: Callable[[str, str], Reply],
        *,
        chance: Random,
        may_write: bool,
        kinds: Collection[str] = SHARES,
    ) -> None:
        self.ask, self.page, self.chance, self.may_write = ask, page, chance, may_write
        self.shares = {kind: SHARES[kind] for kind in kinds}
        self.patients = self._ids("/api/v2/patients?limit=40&fields=id")
        self.services = self._ids("/api/v2/services?fields=id")
        self.done: dict[str, Callable[[], Reply]] = {
            "patient": self._patient,
            "slots": self._slots,
            "search": self._search,
            "register": self._register,
            "book": self._book,
            "step": self._step,
        }

    def next(self) -> str:
        """What happens next."""
        return self.chance.choices(list(self.shares), list(self.shares.values()))[0]

    def do(self, kind: str) -> Reply:
        """Its last answer; a booking asks for free times first."""
        if kind in PAGES:
            return self.page(kind, PAGES[kind])
        return self.done[kind]() if kind in self.done else self.ask(kind, "GET", PLAIN[kind], None)

    def _patient(self) -> Reply:
        return self.ask("patient", "GET", f"/api/v2/patients/{self.chance.choice(self.patients)}", None)

    def _slots(self) -> Reply:
        return self.ask("slots", "GET", f"/api/v2/slots?service={self.chance.choice(self.services[:3])}", None)

    def _search(self) -> Reply:
        return self.ask("search", "POST", SEARCH, {"search": self.chance.choice(SEARCHED)})

    def _register(self) -> Reply:
        if not self.may_write:
            return self._patient()
        given, family = ("".join(self.chance.choices(SYLLABLES, k=5)).title() for _ in range(2))
        person = {"given_name": given, "family_name": family, "date_of_birth": "1980-02-03", "sex": "female"}
        return self.ask("register", "POST", "/api/v2/patients", person | {"accept_duplicate": True})

    def _book(self) -> Reply:
        service = self.chance.choice(self.services[:3])
        found = self.ask("slots", "GET", f"/api/v2/slots?service={service}", None)
        slot = pick(found.data if found.status == 200 else [], self.chance.random())
        if not self.may_write or slot is None:
            return self.ask("visits", "GET", PLAIN["visits"], None)
        wish = {"patient": self.chance.choice(self.patients), "service": service}
        return self.ask("book", "POST", VISITS, wish | {"provider": slot["provider"]["id"], "start": slot["start"]})

    def _step(self) -> Reply:
        day = time.strftime("%Y-%m-%d")
        todays = f"{VISITS}?from={day}&to={day}&status=confirmed,checked_in,in_progress&limit=50"
        found = self.ask("visits", "GET", todays, None)
        visit = pick(found.data if found.status == 200 else [], self.chance.random())
        if not self.may_write or visit is None:
            return self.ask("visits", "GET", PLAIN["visits"], None)
        return self.ask("step", "POST", f"{VISITS}/{visit['id']}/{NEXT[visit['status']]}", {})

    def _ids(self, path: str) -> list[str]:
        return [row["id"] for row in self.ask("known", "GET", path, None).data or ()]
