"""The rules for single values that every domain shares, in one place: models, services, forms and serializers call these.

A rule takes a value, returns it in the form in which it is stored, and raises Django's ValidationError with a stable code.
What is unusual but possible is never refused: `interpret` flags it. docs/validators.md shows limits, ranges and sources.
"""

from core.validators.ages import Age, AgeGroup, age_on
from core.validators.blood_types import BLOOD_TYPES, UNKNOWN_BLOOD_TYPE, clean_blood_type
from core.validators.choices import clean_boolean, clean_choice
from core.validators.codes import clean_country, clean_currency, clean_language, clean_slug, clean_time_zone
from core.validators.dates import (
    clean_birth_date,
    clean_date,
    clean_date_between,
    clean_date_range,
    clean_past_date,
    clean_time,
    clean_wall_time,
)
from core.validators.diagnoses import clean_icd10
from core.validators.doses import Dose, clean_dose, clean_dose_text, clean_dose_unit
from core.validators.emails import clean_email
from core.validators.identifiers import clean_licence_number, clean_mrn, clean_mrn_prefix, clean_national_id
from core.validators.measurements import (
    body_mass_index,
    clean_blood_pressure,
    clean_measurement,
    glucose_from_mg_dl,
    glucose_in_mg_dl,
    interpret,
)
from core.validators.numbers import clean_amount, clean_number, clean_whole_number
from core.validators.phones import clean_phone
from core.validators.problems import Problems, details_of
from core.validators.ranges import Finding, Interpretation, Range
from core.validators.rules import Rule, Rules, clean_fields, optional
from core.validators.text import clean_name, clean_text

__all__ = [
    "BLOOD_TYPES",
    "UNKNOWN_BLOOD_TYPE",
    "Age",
    "AgeGroup",
    "Dose",
    "Finding",
    "Interpretation",
    "Problems",
    "Range",
    "Rule",
    "Rules",
    "age_on",
    "body_mass_index",
    "clean_amount",
    "clean_birth_date",
    "clean_blood_pressure",
    "clean_blood_type",
    "clean_boolean",
    "clean_choice",
    "clean_country",
    "clean_currency",
    "clean_date",
    "clean_date_between",
    "clean_date_range",
    "clean_dose",
    "clean_dose_text",
    "clean_dose_unit",
    "clean_email",
    "clean_fields",
    "clean_icd10",
    "clean_language",
    "clean_licence_number",
    "clean_measurement",
    "clean_mrn",
    "clean_mrn_prefix",
    "clean_name",
    "clean_national_id",
    "clean_number",
    "clean_past_date",
    "clean_phone",
    "clean_slug",
    "clean_text",
    "clean_time",
    "clean_time_zone",
    "clean_wall_time",
    "clean_whole_number",
    "details_of",
    "glucose_from_mg_dl",
    "glucose_in_mg_dl",
    "interpret",
    "optional",
]
