"""The rules for single values that every domain shares, in one place: services, forms and serializers call these.

A rule takes a value, returns it in the form in which it is stored, and raises Django's ValidationError with a stable code.
"""

from core.validators.choices import clean_boolean, clean_choice
from core.validators.codes import clean_country, clean_language
from core.validators.dates import clean_birth_date, clean_date, clean_time
from core.validators.emails import clean_email
from core.validators.phones import clean_phone
from core.validators.problems import Problems
from core.validators.text import clean_name, clean_text

__all__ = [
    "Problems",
    "clean_birth_date",
    "clean_boolean",
    "clean_choice",
    "clean_country",
    "clean_date",
    "clean_email",
    "clean_language",
    "clean_name",
    "clean_phone",
    "clean_text",
    "clean_time",
]
