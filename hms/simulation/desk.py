"""The reception desk during the day: telephones, people at the door, and who did not come."""

from collections.abc import Callable
from random import Random
from typing import Any

from hms.simulation.kiosk import check_in_at_kiosk, take_ticket_at_kiosk
from hms.simulation.people import LISTS, ClinicDay, Colleague, pick
from hms.simulation.script import Act, What

VISITS, PATIENTS, SLOTS, QUEUE = "/api/v2/appointments", "/api/v2/patients", "/api/v2/slots", "/api/v2/queue"
SEARCH = f"{PATIENTS}/search"
SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va")
TODAY_SHARE = 0.45  # of those who ring for a visit and want it today
AT_THE_KIOSK = 0.35  # of those who come to the door
WANTED_BACK = ("Work", "Feels better", "Another appointment", "Transport")


class Desk:
    """A receptionist; `acts` says how each kind of act is done. Each returns whether there was something to do."""

    def __init__(self, who: Colleague, day: ClinicDay) -> None:
        self.who, self.day = who, day
        self.acts: dict[What, Callable[[Act], bool]] = {
            What.INQUIRE: self.inquire,
            What.REGISTER: self.register,
            What.BOOK: self.book,
            What.MOVE: self.move,
            What.CANCEL: self.cancel,
            What.WALK_IN: self.walk_in,
            What.ARRIVE: self.arrive,
            What.MISS: self.miss,
            What.PRY: self.pry,
        }

    # --- The telephone --------------------------------------------------------------------------------------------------------
    def inquire(self, act: Act) -> bool:
        """Who rings is found by name, and hears when their next visits are."""
        found = self._found(act.chances[0])
        if found is None:
            return False
        self.who.row("patient", "GET", f"{PATIENTS}/{found['id']}", noun="patient")
        self.who.rows("visits", VISITS, noun="appointment", patient=found["id"], limit=10)
        return True

    def register(self, act: Act) -> bool:
        rng = Random(str(act.chances))
        given, family = (("".join(rng.choice(SYLLABLES) for _ in range(4))).title() for _ in range(2))
        born = f"{rng.randrange(1935, 2015)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        person = {"given_name": given, "family_name": family, "date_of_birth": born, "sex": rng.choice(("female", "male"))}
        made = self.who.row("register", "POST", PATIENTS, person | {"accept_duplicate": True}, noun="patient")
        if made is None:
            return False
        self.day.patients.append(made)
        return self._booked(made["id"], act)

    def book(self, act: Act) -> bool:
        found = self._found(act.chances[0])
        return found is not None and self._booked(found["id"], act)

    def move(self, act: Act) -> bool:
        """Only if nobody has changed the visit since it was looked at."""
        seen = self._own_visit(act.chances[0])
        if seen is None:
            return False
        visit, etag = seen
        slots = self._slots(service=visit["service"]["id"], provider=visit["provider"]["id"])
        slot = pick(slots, act.chances[1])
        if slot is None:
            return False
        body = {"start": slot["start"], "reason": pick(list(WANTED_BACK), act.chances[2])}
        self.who.row("move", "POST", f"{VISITS}/{visit['id']}/reschedule", body, noun="appointment", If_Match=etag)
        return True

    def cancel(self, act: Act) -> bool:
        seen = self._own_visit(act.chances[0])
        if seen is None:
            return False
        body = {"reason": pick(list(WANTED_BACK), act.chances[1])}
        self.who.row("cancel", "POST", f"{VISITS}/{seen[0]['id']}/cancel", body, noun="appointment", If_Match=seen[1])
        return True

    # --- The door -------------------------------------------------------------------------------------------------------------
    def walk_in(self, act: Act) -> bool:
        """A ticket from the kiosk, or from the desk: for one in three with a record, now and then for somebody in pain."""
        if self.day.kiosks and act.chances[0] < AT_THE_KIOSK:
            return take_ticket_at_kiosk(self.who, self.day, act)
        location, service = pick(self.day.locations, act.chances[1]), pick(self.day.services, act.chances[2])
        if location is None or service is None:
            return False
        patient = pick(self.day.patients, act.chances[3]) if act.chances[4] < 0.33 else None
        body = {"location": location, "service": service["id"], "patient": patient["id"] if patient else None}
        if act.chances[5] < 0.05:
            body["priority"] = "emergency"
        self.who.row("ticket", "POST", QUEUE, body, noun="ticket")
        return True

    def arrive(self, act: Act) -> bool:
        visit = self._expected(act.number)
        if visit is None:
            return False
        if self.day.kiosks and act.chances[0] < AT_THE_KIOSK:
            return check_in_at_kiosk(self.who, self.day, visit)
        self.who.row("check-in", "POST", f"{VISITS}/{visit['id']}/check-in", {}, noun="appointment")
        return True

    def miss(self, act: Act) -> bool:
        visit = self._expected(act.number)
        if visit is None:
            return False
        self.who.row("no-show", "POST", f"{VISITS}/{visit['id']}/no-show", {"reason": "Did not come"}, noun="appointment")
        return True

    # --- What must not work ---------------------------------------------------------------------------------------------------
    def pry(self, act: Act) -> bool:
        """Another clinic's record answers as one that doesn't exist; anything else is kept as a finding."""
        wanted = pick(self.day.strangers, act.chances[0])
        if wanted is None:
            return False
        noun, key = wanted
        path = f"{VISITS if noun == 'appointment' else PATIENTS}/{key}"
        reply = self.who.ask("pry", "GET", path)
        if reply is not None and reply.status != 404:
            self.who.record.let_in.append(f"{self.day.slug} asked for another clinic's {noun} {key}: {reply.status}")
        return True

    # --- Inside ---------------------------------------------------------------------------------------------------------------
    def _found(self, chance: float) -> dict[str, Any] | None:
        """Somebody of the clinic, looked for by family name."""
        known = pick(self.day.patients, chance)
        if known is None:
            return None
        reply = self.who.ask("search", "POST", SEARCH, {"search": known["family_name"], "limit": 10}, noun="patient")
        return known if reply is not None and reply.status == 200 else None

    def _slots(self, **parameters: str) -> list[dict[str, Any]]:
        return self.who.rows("slots", SLOTS, **parameters)

    def _booked(self, patient_id: str, act: Act) -> bool:
        """At a free time of today, or of the days to come; a time that was taken meanwhile is replaced by the first proposed."""
        service = pick(self.day.services, act.chances[1])
        slots = self._slots(service=service["id"]) if service else []
        todays = [one for one in slots if one["start"][:10] == self.day.day]
        slot = pick(todays if todays and act.chances[2] < TODAY_SHARE else slots, act.chances[3])
        if service is None or slot is None:
            return False
        body = {
            "patient": patient_id, "service": service["id"], "provider": slot["provider"]["id"], "start": slot["start"],
            "location": slot["location"]["id"], "is_urgent": act.chances[4] < 0.04,
        }  # fmt: skip
        reply = self.who.ask("book", "POST", VISITS, body, noun="appointment")
        if reply is not None and reply.status == 409 and (others := reply.error.get("alternatives")):
            body |= {"start": others[0]["start"], "provider": others[0]["provider"]["id"], "location": others[0]["location"]["id"]}
            reply = self.who.ask("book", "POST", VISITS, body, noun="appointment")
        if reply is not None and reply.status == 201:
            self.day.booked.append(reply.data["id"])
            if reply.data["start"][:10] == self.day.day:
                self.day.expected.append(reply.data["id"])
        return True

    def _own_visit(self, chance: float) -> tuple[dict[str, Any], str] | None:
        """A visit that was booked during the simulation and can still be moved, with its ETag."""
        key = pick(self.day.booked, chance)
        reply = self.who.ask("visit", "GET", f"{VISITS}/{key}", noun="appointment") if key else None
        if reply is None or reply.status != 200 or reply.data["status"] not in ("requested", "confirmed"):
            return None
        return reply.data, reply.etag

    def _expected(self, number: int) -> dict[str, Any] | None:
        """The visit of today that has this place in the day's order, if its patient may still come."""
        if number >= len(self.day.expected):
            return None
        visit = self.who.row("visit", "GET", f"{VISITS}/{self.day.expected[number]}", noun="appointment")
        return visit if visit is not None and visit["status"] in ("requested", "confirmed") else None


def prepare(who: Colleague, day: ClinicDay) -> None:
    """Look up what a receptionist knows by heart: services, places, regulars, and who is expected today."""
    day.services = who.rows("services", "/api/v2/services", limit=LISTS, fields="id,name")
    day.locations = [row["id"] for row in who.rows("locations", "/api/v2/locations", limit=LISTS, fields="id")]
    names = "id,family_name,is_restricted"
    day.patients = [row for row in who.rows("patients", PATIENTS, limit=LISTS, fields=names) if not row["is_restricted"]]
    todays = f"{VISITS}?from={day.day}&to={day.day}"
    day.expected = [row["id"] for row in who.rows("visits", todays + f"&status=requested,confirmed&limit={LISTS}&fields=id")]
