"""A day from the first telephone to the last question: played, then held against the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hms.simulation.day import Plan, Played, Say, play
from hms.simulation.home import Home, NoHome, password
from hms.simulation.invariants import STREAMED, Evidence, broken
from hms.simulation.report import as_json

STREAM_SECONDS = 20.0  # for a stream to tell what was committed last
NEWEST = "SELECT coalesce(max(position), 0) FROM core_domainevent WHERE clinic_id = %s AND name ~ %s"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`evidence` can be asked again; `told` is the report as JSON."""

    played: Played
    evidence: Evidence
    broken: dict[str, list[str]]
    told: dict[str, Any]


def simulate(home: Home, *, seed: int, speed: float, hours: float, say: Say) -> Outcome:
    """Raises NoHome, NotSignedIn, OSError."""
    since = now_in(home)
    plan = Plan(home.host, home.clinics, password(), seed, speed, hours, home.kiosks())
    played = play(plan, say=say)
    try:
        if not home.has(played.ids):
            raise NoHome("The server has another database than this installation: its day can't be checked from here.")
        evidence = evidence_of(home, played, since)
    finally:
        played.stop()
    if failed := next((one.listener for one in played.clinics.values() if one.listener.failure is not None), None):
        raise NoHome(f"{failed.name} ended: {failed.failure!r}")
    found = broken(evidence)
    return Outcome(played, evidence, found, as_json(played, found))


def now_in(home: Home) -> datetime:
    row = home.connection.execute("SELECT now()").fetchone()
    if row is None:
        raise NoHome("The database does not say what time it is.")
    moment: datetime = row[0]
    return moment


def evidence_of(home: Home, played: Played, since: datetime) -> Evidence:
    """Once every stream has told the newest event of its clinic, or had the time to."""
    heard, copies = {}, {}
    for one in played.clinics.values():
        row = home.connection.execute(NEWEST, [one.day.id, STREAMED]).fetchone()
        one.listener.until(row[0] if row else 0, STREAM_SECONDS)
        heard[one.day.id] = one.listener.heard
        copies[one.day.id] = {"patient": one.copy.patients, "appointment": one.copy.visits}
    return Evidence(home.connection, list(heard), since, played.record, heard, copies)
