"""Invents the patients of a demo clinic: the same ones every time, of every age and many languages."""

from collections.abc import Sequence
from datetime import date, time, timedelta
from random import Random

from clinics.models import Provider
from hms.demo.names import MIXES, NameGroup
from hms.demo.places import DemoClinic
from patients.choices import BloodType, Channel, PatientStatus, Sex, TimeOfDay
from patients.models import Patient

PHONE_LENGTH = {"GB": 13, "US": 12}
NOTES = (
    "Hard of hearing in the left ear: face the patient when speaking.",
    "Prefers mornings; relies on the bus.",
    "Carer comes along. Ask both.",
    "Faints when blood is taken: lay flat.",
    "Uses a wheelchair; ground-floor room please.",
    "Ring twice, the first call is often missed.",
    "Very anxious about needles.",
    "Works nights, do not call before 14:00.",
    "Wants a female provider for examinations.",
    "Latex gloves cause a rash.",
)
RELATIONS = ("Spouse", "Partner", "Daughter", "Son", "Mother", "Father", "Sister", "Brother", "Friend", "Neighbour")
BLOOD = ("O+", "A+", "O+", "A+", "B+", "O-", "A-", "AB+", "B-", "AB-", "unknown", "unknown", "unknown", "unknown")


def invent_patients(place: DemoClinic, providers: Sequence[Provider], count: int) -> list[Patient]:
    """Unsaved patients, without MRN and search columns. The first is the one whom the demo's PATIENT user is."""
    rng = Random(f"patients of {place.slug}")
    groups = [group for group, _ in MIXES[place.country]]
    weights = [weight for _, weight in MIXES[place.country]]
    patients: list[Patient] = []
    taken: set[tuple[str, str]] = set()
    while len(patients) < count:
        sex = rng.choices((Sex.FEMALE, Sex.MALE), (53, 47))[0]
        group = rng.choices(groups, weights)[0]
        given, family = name_of(rng, group, sex)
        if (given, family) in taken and rng.random() < 0.9:  # a few namesakes, as everywhere
            continue
        taken.add((given, family))
        patients.append(_patient(rng, place, group, sex, given, family, providers))
    _families(rng, patients)
    return patients


def name_of(rng: Random, group: NameGroup, sex: Sex) -> tuple[str, str]:
    """A family name with its given name; a name in another script keeps one script."""
    families = group.women_families if sex == Sex.FEMALE and group.women_families else group.families
    given, family = rng.choice(group.women if sex == Sex.FEMALE else group.men), rng.choice(families)
    if given.isascii() != family.isascii():
        alike = [name for name in families if name.isascii() == given.isascii()] or [family]
        family = rng.choice(alike)
    return given, family


def _birth(rng: Random) -> date:
    """More young children and old people than in the street: those are who visits."""
    low, high = rng.choices(((0, 5), (5, 18), (18, 40), (40, 65), (65, 80), (80, 98)), (9, 11, 26, 27, 19, 8))[0]
    return date(2026, 6, 1) - timedelta(days=rng.randrange(low * 365 + 30, high * 365 + 20))


def _patient(
    rng: Random, place: DemoClinic, group: NameGroup, sex: Sex, given: str, family: str, providers: Sequence[Provider]
) -> Patient:
    born = _birth(rng)
    city, region, postal = rng.choice(place.cities)
    patient = Patient(
        given_name=given,
        family_name=family,
        date_of_birth=born,
        sex=sex if rng.random() > 0.006 else Sex.OTHER,
        blood_type=BloodType(rng.choice(BLOOD)),
        phone=_phone(rng, place) if rng.random() < 0.96 else "",
        address_line1=f"{rng.randrange(1, 180)} {rng.choice(place.streets)}",
        city=city,
        region=region,
        postal_code=postal_code_of(rng, postal),
        country=place.country,
        language=group.language or place.locale[:2],
        needs_interpreter=rng.random() < group.interpreter,
        status=PatientStatus.ACTIVE,
    )
    adult = born < date(2008, 1, 1)
    if adult and rng.random() < 0.7:
        patient.email = _email(rng, given, family, place)
        patient.reminder_channels = rng.choice(([Channel.EMAIL], [Channel.SMS], [Channel.SMS, Channel.EMAIL], [Channel.WHATSAPP]))
    elif patient.phone:
        patient.reminder_channels = [Channel.SMS]
    if rng.random() < 0.12:
        patient.middle_name = rng.choice(group.women if sex == Sex.FEMALE else group.men)
    if rng.random() < 0.06:
        patient.preferred_name = given.split()[0][: max(3, len(given) // 2)]
    _details(rng, place, patient, group, providers)
    return patient


def _details(rng: Random, place: DemoClinic, patient: Patient, group: NameGroup, providers: Sequence[Provider]) -> None:
    if rng.random() < 0.55:
        relative = rng.choice(group.women + group.men)
        patient.emergency_name = f"{relative} {patient.family_name}"
        patient.emergency_relationship = rng.choice(RELATIONS)
        patient.emergency_phone = _phone(rng, place)
    if rng.random() < (0.8 if place.country == "US" else 0.25):
        patient.insurance_provider = rng.choice(place.insurers)
        patient.insurance_policy_number = f"{patient.insurance_provider[:2].upper()}-{rng.randrange(10**7, 10**8)}"
        patient.insurance_valid_until = date(2027, rng.choice((3, 6, 12)), 28)
    if rng.random() < 0.14:
        patient.notes = rng.choice(NOTES)
    if rng.random() < 0.3:
        patient.preferred_provider = rng.choice([one for one in providers if one.kind == Provider.Kind.DOCTOR])
        patient.preferred_time_of_day = rng.choice(TimeOfDay.values)
    if rng.random() < 0.05:
        patient.quiet_from, patient.quiet_until = time(21, 0), time(9, 0)
    if rng.random() < 0.015:
        patient.status = PatientStatus.INACTIVE


def _families(rng: Random, patients: list[Patient]) -> None:
    """Children live, and are reached, where a grown-up of the same family name does."""
    homes: dict[str, Patient] = {}
    for patient in patients:
        if patient.date_of_birth < date(2008, 1, 1):
            homes.setdefault(patient.family_name, patient)
    for patient in patients:
        home = homes.get(patient.family_name)
        if home is not None and patient.date_of_birth >= date(2008, 1, 1):
            for name in ("phone", "address_line1", "city", "region", "postal_code", "language"):
                setattr(patient, name, getattr(home, name))
            patient.emergency_name, patient.emergency_phone = home.full_name, home.phone
            patient.emergency_relationship = "Mother" if home.sex == Sex.FEMALE else "Father"
    first = next(one for one in patients if one.date_of_birth < date(1990, 1, 1) and one.email and one.given_name.isascii())
    first.status = PatientStatus.ACTIVE
    position = patients.index(first)
    patients[0], patients[position] = patients[position], patients[0]


def _phone(rng: Random, place: DemoClinic) -> str:
    """In E.164, from the ranges that the regulators keep for fiction."""
    head = rng.choice(place.phone_heads)
    return head + "".join(rng.choice("0123456789") for _ in range(PHONE_LENGTH[place.country] - len(head)))


def postal_code_of(rng: Random, pattern: str) -> str:
    return "".join(rng.choice("0123456789") if c == "#" else rng.choice("ABDEFGHJLNPQRSTUWXYZ") if c == "@" else c for c in pattern)


def _email(rng: Random, given: str, family: str, place: DemoClinic) -> str:
    return f"{mailbox_of(given, family)}{rng.randrange(10, 99)}@example.{'com' if place.country == 'US' else 'org'}"


def mailbox_of(given: str, family: str) -> str:
    """given.family, of the letters that an address may have."""
    name = "".join(c for c in f"{given}.{family}".lower() if c.isascii() and (c.isalnum() or c == ".")).strip(".")
    return name or "patient"
