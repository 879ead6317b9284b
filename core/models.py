"""The foundation's tables, gathered from the packages they belong to."""

from django.contrib.sessions.models import Session

from core.accounts.models import Membership, SignInThrottle, User
from core.drafts.models import Draft
from core.idempotency.models import IdempotencyRecord
from core.keys.models import ClinicKey
from core.security.limiting.models import RateCounter
from core.security.models import AddressBlock, AddressStanding, SecurityEvent
from core.tenancy.announcements import announces
from core.tenancy.models import Clinic

announces(session=["sha256(session_key)"])(Session)

__all__ = [
    "AddressBlock",
    "AddressStanding",
    "Clinic",
    "ClinicKey",
    "Draft",
    "IdempotencyRecord",
    "Membership",
    "RateCounter",
    "SecurityEvent",
    "SignInThrottle",
    "User",
]
