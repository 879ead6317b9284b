"""The patients of a scale clinic: names from the demo's pools, made a row in SQL, found by the tokens that `patients` computes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Any
from uuid import UUID

from django.db import connection

from core.accounts.roles import Role
from core.keys.sealing import search_key
from hms.demo.names import MIXES
from hms.demo.people import BLOOD, NOTES, PHONE_LENGTH, RELATIONS, mailbox_of, name_of, postal_code_of
from hms.demo.places import CLINICS, DemoClinic
from hms.scale.furniture import Furnished
from patients import tokens
from patients.choices import Sex
from patients.models import MrnSequence, Patient
from patients.names import sort_form
from patients.services.registration import MRN_DIGITS

POOL = 40_000  # people of a country, of whom each clinic draws
ADDRESSES = 2_000
DOUBLE_NAMES = 0.03  # how many have a family name of two: the long tail that a short list of names lacks
NAME_FIELDS = ("given_name", "middle_name", "family_name", "preferred_name")
# Ranges that the regulators keep for fiction, so that nobody is ever called; each head is followed by 2 or 3 digits.
PHONE_HEADS = {
    "GB": [f"+44{area}" for area in (
        "1134960", "1144960", "1154960", "1164960", "1174960", "1184960", "1214960", "1314960", "1414960", "1514960", "1614960",
        "1914980", "2079460", "2896496", "2920180", "1632960", "7700900",
    )],
    "US": [f"+1{area}55501" for area in range(201, 990) if area % 100 != 11],
}  # fmt: skip

PATIENTS = """
INSERT INTO scale.patient (
    number, id, clinic_id, created_at, updated_at, version, mrn, given_name, middle_name, family_name, preferred_name,
    family_norm, given_norm, date_of_birth, sex, gender, blood_type, phone, phone_alt, email, address_line1, address_line2,
    city, region, postal_code, country, national_id, insurance_provider, insurance_policy_number, insurance_valid_until,
    emergency_name, emergency_relationship, emergency_phone, language, needs_interpreter, reminder_channels, quiet_from,
    quiet_until, preferred_provider_id, preferred_time_of_day, notes, status, is_restricted, restriction_reason)
SELECT draw.number, scale.uuid7(made), %(clinic)s, made, made, 1, %(prefix)s || '-' || lpad(draw.number::text, %(digits)s, '0'),
    given_name, middle_name, family_name, preferred_name, family_norm, given_norm, born, sex, '',
    (%(blood)s::text[])[1 + floor(random() * cardinality(%(blood)s::text[]))::int], phone, '',
    CASE WHEN adult AND random() < 0.7 THEN mailbox || floor(10 + random() * 9990)::int || %(domain)s ELSE '' END,
    floor(1 + random() * 180)::int || ' ' || street, '', city, region, postal_code, %(country)s, ''::bytea,
    CASE WHEN insured THEN (%(insurers)s::text[])[1 + floor(random() * cardinality(%(insurers)s::text[]))::int] ELSE '' END,
    ''::bytea, CASE WHEN insured THEN DATE '2027-12-31' END,
    CASE WHEN has_relative THEN relative ELSE '' END,
    CASE WHEN has_relative THEN (%(relations)s::text[])[1 + floor(random() * cardinality(%(relations)s::text[]))::int] ELSE '' END,
    CASE WHEN has_relative THEN phone ELSE '' END,
    language, needs_interpreter, CASE WHEN phone = '' THEN '{}' WHEN random() < 0.6 THEN '{sms}' ELSE '{whatsapp}' END::text[],
    NULL, NULL,
    CASE WHEN random() < 0.3 THEN (%(doctors)s::uuid[])[1 + floor(random() * cardinality(%(doctors)s::uuid[]))::int] END,
    (ARRAY['any', 'any', 'morning', 'afternoon', 'evening'])[1 + floor(random() * 5)::int],
    CASE WHEN random() < 0.14 THEN (%(notes)s::text[])[1 + floor(random() * cardinality(%(notes)s::text[]))::int] ELSE '' END,
    CASE WHEN random() < 0.015 THEN 'inactive' ELSE 'active' END, false, ''
FROM (
    SELECT number, made, (made - make_interval(days => 5 + floor(365.25 * CASE
            WHEN age < 0.09 THEN 5 * age / 0.09
            WHEN age < 0.20 THEN 5 + 13 * (age - 0.09) / 0.11
            WHEN age < 0.46 THEN 18 + 22 * (age - 0.20) / 0.26
            WHEN age < 0.73 THEN 40 + 25 * (age - 0.46) / 0.27
            WHEN age < 0.92 THEN 65 + 15 * (age - 0.73) / 0.19
            ELSE 80 + 18 * (age - 0.92) / 0.08 END)::int))::date AS born,
        age >= 0.20 AS adult, who, lives, insured, has_relative,
        CASE WHEN random() < 0.96 THEN (%(heads)s::text[])[1 + floor(random() * cardinality(%(heads)s::text[]))::int]
            || lpad(floor(random() * 10 ^ %(line_digits)s)::int::text, %(line_digits)s, '0') ELSE '' END AS phone
    FROM (
        SELECT number, date_trunc('minute', %(until)s::timestamptz - make_interval(mins => ((%(count)s - number)
                * %(minutes)s::float8 / %(count)s + random() * 30)::int)) AS made,
            random() AS age, 1 + floor(random() * %(pool)s)::int AS who, 1 + floor(random() * %(addresses)s)::int AS lives,
            random() < %(insured)s AS insured, random() < 0.55 AS has_relative
        FROM generate_series(1, %(count)s) AS number OFFSET 0) AS dice OFFSET 0) AS draw
JOIN scale.person ON person.country = %(country)s AND person.number = who
JOIN scale.address ON address.country = %(country)s AND address.number = lives
"""
CONSENTS = """
INSERT INTO patients_consent (id, clinic_id, created_at, updated_at, version, patient_id, kind, given, noted_by_id)
SELECT scale.uuid7(created_at), clinic_id, created_at, created_at, 1, id, 'treatment', true, %s FROM scale.patient ORDER BY number
"""
TOKENS = """
INSERT INTO patients_patienttoken (clinic_id, token, patient_id)
SELECT DISTINCT %s::uuid, token, id FROM (
    SELECT id, unnest(tokens) AS token FROM scale.patient
    CROSS JOIN LATERAL (VALUES ('given_name', given_name), ('middle_name', middle_name), ('family_name', family_name),
        ('preferred_name', preferred_name), ('mrn', mrn), ('date_of_birth', date_of_birth::text), ('phone', phone),
        ('phone_alt', phone_alt), ('email', email)) AS has (field, value)
    JOIN scale.piece USING (field, value)) AS found
ORDER BY token, id
"""
REGISTERED_DAYS = 5 * 365  # over which a clinic's patients have come, before its first visit


def fill_pools() -> None:
    """The people and addresses that all clinics draw from; nothing when they are there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM scale.address)")
        if cursor.fetchone()[0]:
            return
    for place in CLINICS:
        rng = Random(f"scale {place.country}")
        copy_rows("scale.person", (_person(rng, place, number) for number in range(1, POOL + 1)))
        copy_rows("scale.address", (_address(rng, place, number) for number in range(1, ADDRESSES + 1)))


def register_all(made: Furnished, count: int, first_visit: datetime) -> None:
    """Patients with numbers, search tokens and a consent. Runs inside the clinic's transaction."""
    place, clinic = made.place, made.clinic
    heads = PHONE_HEADS[place.country]
    values: dict[str, Any] = {
        "clinic": clinic.pk, "prefix": clinic.mrn_prefix, "digits": MRN_DIGITS, "country": place.country, "count": count,
        "pool": POOL, "addresses": ADDRESSES, "until": first_visit, "minutes": REGISTERED_DAYS * 24 * 60,
        "heads": heads, "line_digits": PHONE_LENGTH[place.country] - len(heads[0]),
        "domain": "@example.com" if place.country == "US" else "@example.org",
        "blood": list(BLOOD), "relations": list(RELATIONS), "notes": list(NOTES), "insurers": list(place.insurers),
        "insured": 0.8 if place.country == "US" else 0.25,
        "doctors": [one.pk for one in made.providers if one.kind == one.Kind.DOCTOR],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scale.patient, scale.piece")
        cursor.execute(PATIENTS, values)
        columns = ", ".join(f'"{one.column}"' for one in Patient._meta.concrete_fields)
        cursor.execute(f"INSERT INTO patients_patient ({columns}) SELECT {columns} FROM scale.patient ORDER BY number")
        cursor.execute(CONSENTS, [made.users[Role.RECEPTIONIST].pk])
        found = list(_tokens(clinic.pk))  # all are read before the connection is busy copying
        copy_rows("scale.piece", found)
        cursor.execute("ANALYZE scale.patient, scale.piece")
        cursor.execute(TOKENS, [clinic.pk])
    MrnSequence.objects.create(last_number=count)


def _tokens(clinic_id: UUID) -> Iterator[tuple[str, str, list[int]]]:
    """Field, value and tokens: each value is looked at once, however many patients have it, under one reading of the key."""
    key = search_key(clinic_id)
    for field in tokens.FIELDS:
        if field in tokens.UNREAD:
            continue  # encrypted, and empty here
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT DISTINCT {field}, {field}::text FROM scale.patient")
            values = cursor.fetchall()
        pieces = _pieces_of_name if field in NAME_FIELDS else tokens.pieces_in
        for value, text in values:
            if found := [tokens.token_under(key, kind, piece) for kind, piece in pieces(field, value)]:
                yield field, text, found


@lru_cache(maxsize=200_000)
def _pieces_of_name(field: str, name: str) -> frozenset[tuple[str, str]]:
    return frozenset(tokens.pieces_in(field, name))


def copy_rows(table: str, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _person(rng: Random, place: DemoClinic, number: int) -> tuple[Any, ...]:
    mix = MIXES[place.country]
    sex = rng.choices((Sex.FEMALE, Sex.MALE), (53, 47))[0]
    group = rng.choices([one for one, _ in mix], [weight for _, weight in mix])[0]
    given, family = name_of(rng, group, sex)
    if rng.random() < DOUBLE_NAMES:
        family = f"{family}-{name_of(rng, group, sex)[1]}"
    middle = name_of(rng, group, sex)[0] if rng.random() < 0.12 else ""
    preferred = given.split()[0][: max(3, len(given) // 2)] if rng.random() < 0.06 else ""
    relative = f"{name_of(rng, group, rng.choice((Sex.FEMALE, Sex.MALE)))[0]} {family}"
    sex = sex if rng.random() > 0.006 else Sex.OTHER
    return (
        place.country, number, sex.value, given, middle, family, preferred, sort_form(family), sort_form(given),
        group.language or place.locale[:2], rng.random() < group.interpreter, mailbox_of(given, family), relative,
    )  # fmt: skip


def _address(rng: Random, place: DemoClinic, number: int) -> tuple[Any, ...]:
    city, region, postal = rng.choice(place.cities)
    return place.country, number, rng.choice(place.streets), city, region, postal_code_of(rng, postal)
