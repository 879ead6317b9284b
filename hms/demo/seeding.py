"""Makes the demo, and makes its today half over again when it is started another time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.db import connection, transaction
from django.db.models import Q

from appointments.choices import ExceptionKind
from appointments.models import Appointment, AppointmentChange, Claim, Holiday, ScheduleException
from clinics.models import Location, Provider
from core.accounts.models import User
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from core.tenancy.models import Clinic
from hms.demo.days import plan_day
from hms.demo.documents import invent_documents
from hms.demo.furniture import ClinicView, clinic_view, furnish, hashed_password, make_clinic, make_sign_ins
from hms.demo.invariants import check_invariants
from hms.demo.models import DemoState
from hms.demo.people import invent_patients
from hms.demo.places import CLINICS, DemoClinic
from hms.demo.queue import add_tickets, clear_tickets, open_queues
from hms.demo.rows import insert_rows
from hms.demo.today import Today, plan_today
from hms.demo.visits import Rows, add_rows
from patients.choices import PatientStatus
from patients.models import Consent, MrnSequence, Patient, PatientAccount, PatientToken
from patients.names import sort_form
from patients.services.registration import MRN_DIGITS
from patients.tokens import tokens_of

PATIENTS = 600
PAST_DAYS, COMING_DAYS = 30, 14
STILL_FRESH = timedelta(minutes=30)
PORTAL_DAYS = frozenset({-26, -12, 3, 12})  # on which the PATIENT user has visits
type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What seeding did to a clinic: made it, set up the whole calendar, today alone, or nothing."""

    slug: str
    what: str


def seed(
    *, now: datetime, say: Say, fresh: bool = False, patients: int = PATIENTS, places: Sequence[DemoClinic] = CLINICS
) -> list[Done]:
    """Make or refresh the clinics. Runs as the owner: nobody else may take visits away again."""
    done = []
    _make_people()
    for place in places:
        clinic = Clinic.objects.filter(slug=place.slug).first()
        if clinic is None or not DemoState.objects.filter(slug=place.slug).exists():
            with transaction.atomic():
                clinic = _make(place, patients, say)
        with clinic_scope(clinic, reason="demo"):
            done.append(Done(place.slug, _set_up(place, clinic, now, say, fresh)))
    if any(one.what == "calendar" for one in done):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return done


def _make_people() -> None:
    """The platform's sign-ins; and all demo passwords anew when HMS_DEMO_PASSWORD has changed."""
    known = User.objects.filter(email="platform@hms.demo").first()
    if known is None:
        with transaction.atomic():
            make_sign_ins(hashed_password())
            DemoState.objects.get_or_create(slug="hms")
    elif not check_password(settings.HMS_DEMO_PASSWORD, known.password):
        User.objects.filter(Q(email__endswith=".demo")).update(password=hashed_password())


def _make(place: DemoClinic, count: int, say: Say) -> Clinic:
    say(f"{place.name}: rooms, people, services …")
    clinic = make_clinic(place)
    with clinic_scope(clinic, reason="demo"):
        furnish(place, clinic, User.objects.get(email="platform@hms.demo").password)
        say(f"{place.name}: {count} patients …")
        _register(place, clinic, count)
        DemoState.objects.create(slug=place.slug)
    return clinic


def _register(place: DemoClinic, clinic: Clinic, count: int) -> None:
    """Patients with numbers, search tokens and consents; the first is tied to the clinic's PATIENT user."""
    patients = invent_patients(place, list(Provider.objects.all()), count)
    registered = datetime(2026, 1, 5, 9, tzinfo=UTC)
    for number, patient in enumerate(patients, start=1):
        patient.mrn = f"{clinic.mrn_prefix}-{number:0{MRN_DIGITS}d}"
        patient.family_norm, patient.given_norm = sort_form(patient.family_name), sort_form(patient.given_name)
        patient.created_at = patient.updated_at = registered + timedelta(hours=number * 7 % 3000)
    insert_rows(patients)
    insert_rows(
        [PatientToken(patient=patient, token=token) for patient in patients for token in sorted(tokens_of(clinic.pk, patient))]
    )
    consents = [Consent(patient=one, kind=kind, given=True) for one in patients for kind in ("treatment", "data_processing")]
    for consent in consents:
        consent.created_at = consent.updated_at = consent.patient.created_at
    insert_rows(consents)
    insert_rows(invent_documents(place, patients))
    MrnSequence.objects.create(last_number=count)
    portal = User.objects.get(email=f"patient@{clinic.slug}.demo")
    PatientAccount.objects.create(patient=patients[0], user=portal)
    portal.full_name = patients[0].full_name
    portal.save(update_fields=["full_name"])


def _set_up(place: DemoClinic, clinic: Clinic, now: datetime, say: Say, fresh: bool) -> str:
    """Inside the clinic's scope: the calendar when the day is another, today alone when only hours have passed."""
    state = DemoState.objects.select_for_update().get(slug=clinic.slug)
    day = now.astimezone(clinic.zone).date()
    if not fresh and state.day == day and state.seeded_at and timedelta() <= now - state.seeded_at < STILL_FRESH:
        return "nothing"
    whole = state.day != day
    say(f"{clinic.name}: {'thirty days back, two weeks ahead, and ' if whole else ''}a today that is half over …")
    _clear(None if whole else day)
    view = clinic_view(clinic)
    _close_on_holidays(place, day)
    patients = list(Patient.objects.filter(status=PatientStatus.ACTIVE).order_by("mrn"))
    portal = next(iter(Patient.objects.filter(accounts__user=view.users.get(Role.PATIENT))), None)
    today = plan_today(view, patients, now=now)
    rows = Rows()
    _hours_of_today(today)
    for visit in today.visits:
        add_rows(rows, visit, view)
    if whole:
        _plan_other_days(view, rows, today, patients, portal, now)
    for part in (rows.appointments, rows.changes, rows.claims):
        insert_rows(part)
    open_queues()
    add_tickets(view, rows.appointments, now)
    check_invariants(now=now, day=day)
    state.day, state.seeded_at = day, now
    state.save()
    return "calendar" if whole else "today"


def _plan_other_days(
    view: ClinicView, rows: Rows, today: Today, patients: list[Patient], portal: Patient | None, now: datetime
) -> None:
    closed = set(Holiday.objects.filter(location=None).values_list("day", flat=True))
    for distance in [*range(-PAST_DAYS, 0), *range(1, COMING_DAYS + 1)]:
        day = today.hours.day + timedelta(days=distance)
        if day in closed:
            continue
        away = frozenset(today.away) if -1 <= distance <= 3 else frozenset()
        density = 0.74 if distance < 0 else max(0.22, 0.72 - distance * 0.045)
        first = portal if distance in PORTAL_DAYS else None
        for visit in plan_day(view, day, patients, now=now, density=density, first=first, away=away):
            add_rows(rows, visit, view)


def _clear(day: date | None) -> None:
    """Take away one day's visits, or all; tickets and claims first, as the references ask."""
    clear_tickets(day)
    visits = Appointment.objects.all() if day is None else Appointment.objects.filter(local_day=day)
    ids = visits.values("pk")
    for part in (Claim, AppointmentChange):
        part.objects.filter(appointment_id__in=ids)._raw_delete("default")
    visits._raw_delete("default")
    ScheduleException.objects.filter(reason__in=REASONS).delete()


TODAY, LEAVE = "Today's rota", "Annual leave"
REASONS = (TODAY, LEAVE)


def _hours_of_today(today: Today) -> None:
    """Today's hours in place of the week's: away all day from the weekly blocks, and extra hours where the clock is."""
    day, (start, end) = today.hours.day, today.hours.wall()
    off, extra = ExceptionKind.OFF, ExceptionKind.EXTRA
    exceptions = []
    for provider, location, room in today.at_work:
        exceptions.append(ScheduleException(provider=provider, kind=off, first_day=day, last_day=day, reason=TODAY))
        exceptions.append(
            ScheduleException(
                provider=provider,
                kind=extra,
                first_day=day,
                last_day=day,
                start_time=start,
                end_time=end,
                location=location,
                room=room,
                reason=TODAY,
            )
        )
    for provider in today.away:
        around = {"first_day": day - timedelta(days=1), "last_day": day + timedelta(days=3)}
        exceptions.append(ScheduleException(provider=provider, kind=off, reason=LEAVE, **around))
    ScheduleException.objects.bulk_create(exceptions)


def _close_on_holidays(place: DemoClinic, today: date) -> None:
    """The year's holidays, and a training day of one location next week. Never today: the demo is open when it is started."""
    wanted = {(date(year, month, on), name, None) for year in (today.year, today.year + 1) for month, on, name in place.holidays}
    training = today + timedelta(days=9)
    while training.weekday() >= 5:
        training += timedelta(days=1)
    location = Location.objects.filter(is_active=True).order_by("id").last()
    Holiday.objects.filter(Q(day=today) | Q(name="Staff training", day__gt=today)).delete()
    known = {(holiday.day, holiday.location_id) for holiday in Holiday.objects.all()}
    holidays = [Holiday(day=day, name=name) for day, name, _ in sorted(wanted) if (day, None) not in known and day > today]
    if location is not None and (training, location.pk) not in known:
        holidays.append(Holiday(day=training, name="Staff training", location=location))
    Holiday.objects.bulk_create(holidays)
