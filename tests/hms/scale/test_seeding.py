"""`manage.py seed_scale` at a small size: rows as the services would have made them, and a database that is whole again."""

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from psycopg import sql

from appointments.choices import FREED
from appointments.models import Appointment, Claim, Schedule
from appointments.services.claims import wanted_by
from core.accounts.actor import system_actor
from core.database.roles import own_database
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from core.validators import Problems
from hms.demo.invariants import check_invariants
from hms.scale.home import LOADED
from hms.scale.size import Size
from patients.models import MrnSequence, Patient, PatientToken
from patients.names import sort_form
from patients.selectors import search_patients
from patients.tokens import tokens_of
from patients.validators import FIELDS, ClinicRules, clean_patient
from tests.factories.scale import seed_scale
from tests.factories.server import RUN, _database_variables, _run, _url_of
from tests.factories.world import World

pytestmark = [pytest.mark.xdist_group("scale"), pytest.mark.thorough]
CATALOGUE = """
SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid) || convalidated FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'force', '', relname::text, relforcerowsecurity::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
ORDER BY 1, 2, 3
"""


def inside(database: str, check: Any) -> Any:
    """Run a function of this module in a process that works on the scale database as the application does."""
    return _run([sys.executable, "-c", RUN, f"{check.__module__}:{check.__name__}"], os.environ | _database_variables(database))


def each_clinic() -> Iterator[Clinic]:
    clinics = list(Clinic.objects.all())
    assert len(clinics) == 4
    for clinic in clinics:
        with clinic_scope(clinic, reason="test"):
            yield clinic


def patients_are_as_if_registered() -> None:
    for clinic in each_clinic():
        patients = list(Patient.objects.order_by("mrn"))
        assert [one.mrn for one in patients] == [f"{clinic.mrn_prefix}-{number:07d}" for number in range(1, 121)]
        assert MrnSequence.objects.get().last_number == 120
        rules = ClinicRules(country=clinic.country, today=timezone.localdate())
        for patient in patients:
            assert set(PatientToken.objects.filter(patient=patient).values_list("token", flat=True)) == tokens_of(
                clinic.pk, patient
            )
            assert (patient.family_norm, patient.given_norm) == (sort_form(patient.family_name), sort_form(patient.given_name))
            problems, given = Problems(), {name: getattr(patient, name) for name in FIELDS}
            assert clean_patient(given, rules, problems, complete=True) == given
            assert problems.details == []


def patients_are_found() -> None:
    for clinic in each_clinic():
        actor = system_actor(clinic.pk)
        for patient in Patient.objects.order_by("id")[:15]:
            for text in (
                patient.mrn,
                f"{patient.given_name} {patient.family_name}",
                patient.phone[-7:],
                str(patient.date_of_birth),
            ):
                if text:
                    assert patient.pk in {match.patient.pk for match in search_patients(actor=actor, text=text, limit=100)}, text


def visits_are_as_if_booked() -> None:
    for clinic in each_clinic():
        now = timezone.now()
        check_invariants(now=now, day=now.astimezone(clinic.zone).date())
        for visit in Appointment.objects.select_related("service", "patient").prefetch_related("changes"):
            wanted = wanted_by(
                visit.service, patient_id=visit.patient_id, provider_id=visit.provider_id, room_id=visit.room_id,
                start=visit.start, end=visit.end,
            )  # fmt: skip
            claims = Claim.objects.filter(appointment=visit)
            held = {
                (one.resource_kind, one.resource_id, one.starts_at, one.ends_at, one.during.lower, one.during.upper)
                for one in claims
            }
            expected = set() if visit.status in FREED else {(w.kind, w.resource_id, w.start, w.end, w.start, w.end) for w in wanted}
            assert held == expected
            assert visit.end - visit.start == timedelta(minutes=visit.service.duration_minutes)
            begin, end = visit.start.astimezone(clinic.zone), visit.end.astimezone(clinic.zone)
            assert visit.local_day == begin.date()
            assert Schedule.objects.filter(
                provider=visit.provider_id, location=visit.location_id, weekday=begin.weekday(),
                start_time__lte=begin.time(), end_time__gte=end.time(),
            ).exists()  # fmt: skip
            changes = sorted(visit.changes.all(), key=lambda one: (one.at, one.id))
            assert visit.version == len(changes)
            assert abs(visit.updated_at - changes[-1].at) < timedelta(seconds=1)
            assert [one.from_status for one in changes] == ["", *(one.to_status for one in changes[:-1])]
            assert visit.patient.created_at < visit.created_at


def today_has_visits() -> None:
    for clinic in each_clinic():
        day = timezone.now().astimezone(clinic.zone).date()
        days = set(Appointment.objects.filter(local_day__gte=day).values_list("local_day", flat=True))
        assert min(days) - day <= timedelta(days=2)


@pytest.mark.parametrize("check", [patients_are_as_if_registered, patients_are_found, visits_are_as_if_booked, today_has_visits])
def test_rows_are_as_the_services_make_them(scale: str, check: Any) -> None:
    inside(scale, check)


def test_what_was_taken_off_for_loading_is_all_back(scale: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(CATALOGUE)
        as_migrated = cursor.fetchall()
    with psycopg.connect(_url_of("hms_maintenance", scale)) as seen:
        assert seen.execute(CATALOGUE).fetchall() == as_migrated


def take_off() -> None:
    from hms.scale.home import at_home
    from hms.scale.structure import take_off

    with at_home(own_database(), "hms_owner"):
        take_off()


def test_a_reference_that_points_nowhere_is_noticed(scale: str) -> None:
    inside(scale, take_off)
    stray = "INSERT INTO patients_patienttoken SELECT id, gen_random_uuid(), 7 FROM core_clinic LIMIT 1"
    with psycopg.connect(_url_of("hms_maintenance", scale), autocommit=True) as loading:
        loading.execute(stray.replace("INTO patients_patienttoken", "INTO patients_patienttoken (clinic_id, patient_id, token)"))
        with pytest.raises(RuntimeError, match="violates foreign key constraint"):
            seed_scale(scale)
        loading.execute("DELETE FROM patients_patienttoken WHERE token = 7")
    seed_scale(scale)


def test_what_is_switched_off_is_noticed(scale: str) -> None:
    with psycopg.connect(_url_of("hms_owner", scale), autocommit=True) as owner:
        owner.execute("ALTER TABLE clinics_room NO FORCE ROW LEVEL SECURITY")
        with pytest.raises(RuntimeError, match="row-level security not forced: clinics_room"):
            seed_scale(scale)
        owner.execute("ALTER TABLE clinics_room FORCE ROW LEVEL SECURITY")


def test_other_data_is_left_alone(scale: str, world: World) -> None:
    rights = rights_of(connection.settings_dict["NAME"])
    with pytest.raises(RuntimeError, match="was begun as"):
        seed_scale(scale, "--patients", "130")
    with pytest.raises(RuntimeError, match="clinics or accounts that this command did not make"):
        seed_scale(connection.settings_dict["NAME"])
    with pytest.raises(RuntimeError, match="was not made by seed_scale"):
        seed_scale(connection.settings_dict["NAME"], "--remove")
    with pytest.raises(CommandError, match="own database"):
        call_command("seed_scale", database=own_database())
    assert rights_of(connection.settings_dict["NAME"]) == rights


def rights_of(database: str) -> Any:
    """Whose it is, and who may do what there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT datdba, datacl::text FROM pg_database WHERE datname = %s", [database])
        return cursor.fetchone()


def test_a_size_says_what_a_clinic_gets() -> None:
    full = Size(clinics=200, locations=50, patients=25_000, appointments=10_000_000)
    assert (full.providers, full.days, full.appointments_of(1)) == (10, 500, 50_000)
    uneven = Size(clinics=3, locations=1, patients=20, appointments=100)
    assert sum(uneven.appointments_of(number) for number in (1, 2, 3)) == 100


def test_every_loaded_table_exists() -> None:
    with connection.cursor() as cursor:
        for table in LOADED:
            cursor.execute(sql.SQL("SELECT 1 FROM {} LIMIT 0").format(sql.Identifier(table)))
