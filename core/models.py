"""The foundation's tables, gathered from the packages they belong to."""

from django.contrib.sessions.models import Session

from core.accounts.api_keys.models import ApiKey
from core.accounts.auth_sessions import AuthSession
from core.accounts.factors.models import OneTimeCode, SecondFactor
from core.accounts.models import Membership, SignInThrottle, User
from core.audit.break_glass import BreakGlass
from core.audit.models import AccessedPatient, AccessEvent
from core.backup.models import BackupRun
from core.data_sync.models import DataSync
from core.drafts.models import Draft
from core.events.models import DomainEvent
from core.faults.models import Fault
from core.history.models import Change, Seal
from core.idempotency.models import IdempotencyRecord
from core.jobs.models import Job, ScheduleMark
from core.keys.models import ClinicKey
from core.messaging.models import OutgoingMessage, PatientMessage, Suppression
from core.monitoring.models import Alert, AlertRule, MetricSample
from core.notifications.models import Notification
from core.outbound.models import ExternalSystem
from core.security.limiting.models import RateCounter
from core.security.models import AddressBlock, AddressStanding, SecurityEvent
from core.tenancy.announcements import announces
from core.tenancy.models import Clinic
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.workers.models import WorkerProcess

announces(session=["sha256(session_key)"])(Session)

__all__ = [
    "AccessEvent",
    "AccessedPatient",
    "AddressBlock",
    "AddressStanding",
    "Alert",
    "AlertRule",
    "ApiKey",
    "AuthSession",
    "BackupRun",
    "BreakGlass",
    "Change",
    "Clinic",
    "ClinicKey",
    "DataSync",
    "DomainEvent",
    "Draft",
    "ExternalSystem",
    "Fault",
    "IdempotencyRecord",
    "Job",
    "Membership",
    "MetricSample",
    "Notification",
    "OneTimeCode",
    "OutgoingMessage",
    "PatientMessage",
    "RateCounter",
    "ScheduleMark",
    "Seal",
    "SecondFactor",
    "SecurityEvent",
    "SignInThrottle",
    "Suppression",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WorkerProcess",
]
