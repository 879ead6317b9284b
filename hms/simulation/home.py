"""Where a day is played: a database of its own with invented clinics and a server before it, or an HMS that runs already."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone
from psycopg import sql

from appointments.choices import ScreenKind
from appointments.tokens import screen_token
from core.database.roles import admin_url, connected_as, connection_apart, in_database, own_database, setup_database
from hms.demo.places import CLINICS, DemoClinic
from hms.demo.seeding import seed
from hms.scale.serving import hms_served
from hms.simulation.day import Say, is_served

DATABASE = "hms_simulation"
MARK = "HMS simulation"  # the comment of a database that may be dropped
PATIENTS = 150  # of each clinic
MOST_CLINICS = 50
KIOSKS = """
SELECT c.slug, s.location_id, s.clinic_id, s.id FROM appointments_queuescreen s JOIN core_clinic c ON c.id = s.clinic_id
WHERE c.slug = ANY(%s) AND s.kind = 'kiosk' AND s.ended_at IS NULL ORDER BY s.id
"""


class NoHome(RuntimeError):
    """There is nowhere to play; the message says why."""


@dataclass(frozen=True, slots=True)
class Home:
    """A running HMS with demo clinics. `connection` sees all of its database."""

    host: str
    clinics: tuple[str, ...]
    connection: psycopg.Connection[Any]

    def kiosks(self) -> dict[str, dict[str, str]]:
        """Paths of the kiosks' addresses, by clinic and location: one of each location."""
        found: dict[str, dict[str, str]] = {}
        for slug, location, clinic, screen in self.connection.execute(KIOSKS, [list(self.clinics)]).fetchall():
            path = f"/kiosk/{screen_token(ScreenKind.KIOSK, clinic, screen)}/"
            found.setdefault(slug, {}).setdefault(str(location), path)
        return found

    def has(self, clinics: dict[str, UUID]) -> bool:
        """Is this database the one that the server writes to?"""
        rows = self.connection.execute("SELECT slug, id FROM core_clinic WHERE slug = ANY(%s)", [list(clinics)]).fetchall()
        return dict(rows) == clinics


def places_of(count: int) -> list[DemoClinic]:
    """The demo's two clinics by turns, from the third on under names of their own."""
    places = []
    for number in range(count):
        place, again = CLINICS[number % len(CLINICS)], number // len(CLINICS) + 1
        if again > 1:
            prefix = f"{place.mrn_prefix}{again}"
            place = replace(place, slug=f"{place.slug}-{again}", name=f"{place.name} {again}", mrn_prefix=prefix)
        places.append(place)
    return places


@contextmanager
def own_home(clinics: int, *, say: Say, keep: bool = False, patients: int = PATIENTS, **variables: str) -> Iterator[Home]:
    """A server of its own on loopback, before the new database `hms_simulation`; both are gone afterwards unless `keep`.

    `variables` go to the server. Raises NoHome, NotServed.
    """
    if not 1 <= clinics <= MOST_CLINICS:
        raise NoHome(f"From 1 to {MOST_CLINICS} clinics.")
    places = places_of(clinics)
    _make_database()
    try:
        with in_database(DATABASE), connected_as("hms_owner"):
            call_command("migrate", verbosity=0)
            seed(now=timezone.now().replace(second=0, microsecond=0), say=say, patients=patients, places=places)
        with hms_served(DATABASE, **variables) as served, _seen_whole(DATABASE) as connection:
            host = f"{served.address[0]}:{served.address[1]}"
            yield Home(host, tuple(place.slug for place in places), connection)
    finally:
        if not keep:
            _drop_database()


@contextmanager
def stopped_in_order() -> Iterator[None]:
    """Within the block a SIGTERM ends the command as Ctrl-C does: its server and its database go with it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def running_home(url: str, clinics: tuple[str, ...]) -> Iterator[Home]:
    """An HMS that runs already, before this installation's database. Raises NoHome when nobody answers or it isn't a demo."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.netloc:
        raise NoHome("--url is where HMS listens without TLS, such as http://127.0.0.1:8000.")
    if not is_served(parts.netloc):
        raise NoHome(f"{url} does not answer at /health.")
    with _seen_whole("") as connection:
        yield Home(parts.netloc, clinics, connection)


@contextmanager
def _seen_whole(database: str) -> Iterator[psycopg.Connection[Any]]:
    with in_database(database) if database else nullcontext():
        connection = connection_apart("hms_maintenance")
    with connection:
        yield connection


def _make_database() -> None:
    url = admin_url()
    if not url:
        raise NoHome("Set HMS_DATABASE_ADMIN_URL: somebody has to create the database. Or name a demo that runs (--url).")
    if own_database() == DATABASE:
        raise NoHome(f"“{DATABASE}” is this installation's own database.")
    _drop_database()
    setup_database(url, DATABASE)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(DATABASE), sql.Literal(MARK)))


def _drop_database() -> None:
    """Only one that was made here. Raises NoHome for another of this name."""
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        found = admin.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [DATABASE]
        ).fetchone()
        if found is None:
            return
        if found[0] != MARK:
            raise NoHome(f"There is a database {DATABASE} that this command did not make.")
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))


def password() -> str:
    """Of every account of the demo."""
    return str(settings.HMS_DEMO_PASSWORD)
