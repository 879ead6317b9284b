"""Keeps the demo away from real data: whether this database is, or may become, a demo's."""

from django.db import ProgrammingError

from core.accounts.models import User
from core.pages.demo import CLINICS
from core.tenancy.models import Clinic
from hms.demo.models import DemoState

OWN = "The demo starts only on an empty database or its own."


def is_demo_database() -> bool:
    """Has seed_demo made this database? One query."""
    return DemoState.objects.exists()


def what_forbids_the_demo() -> str:
    """A sentence that says what is in this database and is not the demo's; "" when nothing is. Three queries at most."""
    other = Clinic.objects.exclude(slug__in=CLINICS).order_by("slug").values_list("slug", flat=True).first()
    if other:
        return f"This database holds the clinic “{other}”, which is not the demo's. {OWN}"
    if is_demo_database():
        return ""
    if Clinic.objects.exists():
        return f"This database holds clinics that the demo did not make. {OWN}"
    if User.objects.exists():
        return f"This database holds people's accounts that the demo did not make. {OWN}"
    return ""


def what_forbids_serving() -> str:
    """The same for a database that may not be migrated yet: then nothing forbids."""
    try:
        return what_forbids_the_demo()
    except ProgrammingError:
        return ""
