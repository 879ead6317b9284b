"""The foundation's tables, gathered from the packages they belong to."""

from core.accounts.models import Membership, SignInThrottle, User
from core.drafts.models import Draft
from core.idempotency.models import IdempotencyRecord
from core.tenancy.models import Clinic

__all__ = ["Clinic", "Draft", "IdempotencyRecord", "Membership", "SignInThrottle", "User"]
