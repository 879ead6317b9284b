"""Patients at a kiosk: its pages, for the API has none."""

import re
from typing import Any
from urllib.parse import urlencode

from hms.simulation.calling import Reply
from hms.simulation.people import ClinicDay, Colleague, pick
from hms.simulation.script import Act

FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]*)"')
SERIES = re.compile(r'name="series" value="([0-9a-f-]{36})"')
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def take_ticket_at_kiosk(who: Colleague, day: ClinicDay, act: Act) -> bool:
    """A walk-in's ticket, of a group that is offered there."""
    at = pick(sorted(day.kiosks.values()), act.chances[1])
    page = _opened(who, at) if at else None
    series = pick(SERIES.findall(page.body), act.chances[2]) if page is not None else None
    return bool(at and page and series and _sent(who, at, page, {"do": "walk-in", "series": series}))


def check_in_at_kiosk(who: Colleague, day: ClinicDay, visit: dict[str, Any]) -> bool:
    """By patient number and date of birth, as the card says; whom it sends away goes to the desk."""
    patient = who.row("patient", "GET", f"/api/v2/patients/{visit['patient']['id']}", noun="patient")
    at = day.kiosks.get(visit["location"]["id"], "")
    page = _opened(who, at) if at else None
    done = False
    if patient is not None and patient.get("date_of_birth") and at and page is not None:
        year, month, on = patient["date_of_birth"].split("-")
        card = {"do": "number", "number": patient["mrn"], "day": int(on), "month": int(month), "year": year}
        done = _sent(who, at, page, card)
    if not done:
        who.row("check-in", "POST", f"/api/v2/appointments/{visit['id']}/check-in", {}, noun="appointment")
    return True


def _opened(who: Colleague, at: str) -> Reply | None:
    """The kiosk's page, as anybody sees it who stands there."""
    reply = who.standing().ask("kiosk", "GET", at)
    return reply if reply is not None and reply.status == 200 else None


def _sent(who: Colleague, at: str, page: Reply, form: dict[str, Any]) -> bool:
    """Whether the kiosk gave out a ticket. 422 is its way to send people to the desk."""
    token = FORM_TOKEN.search(page.body)
    sent = urlencode(form | {"csrfmiddlewaretoken": token[1] if token else ""})
    reply = who.standing().ask("kiosk", "POST", at, sent, Cookie="; ".join(page.cookies), **FORM)
    return reply is not None and reply.status == 200
