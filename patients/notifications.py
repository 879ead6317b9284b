"""What HMS writes to a clinic's administrators about its patients' records, without names; and where patients are reached."""

from django.conf import settings
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from core.accounts.actor import Actor
from core.accounts.models import Membership
from core.accounts.roles import Role
from core.audit.break_glass import BreakGlass, Category
from core.messaging.models import Channel, Kind
from core.messaging.services import Recipient, post
from core.notifications.kinds import Details, NotificationKind
from core.notifications.models import Notification
from core.notifications.writing import notify
from core.tenancy.models import Clinic
from core.times import date_and_time
from patients.models import Patient
from patients.selectors.messages import addresses_of, refusal_of

TOLD = [Role.CLINIC_ADMIN, Role.COMPLIANCE_OFFICER]
WORDS = gettext_noop("""The restricted record %(mrn)s was opened at %(clinic)s.

Category: %(category)s
Open until: %(until)s

Who opened it and why, and what is looked at:
%(address)s

Please judge the access when it is over.""")


def _opened(details: Details) -> str:
    return _("A restricted record was opened: %(category)s") % {"category": Category(details["category"]).label}


def _access(notification: Notification, actor: Actor) -> str:
    if not actor.can("break_glass", "view"):
        return ""
    return reverse("patients:emergency-access", args=[notification.about_id])


OPENED = NotificationKind("record_opened", _opened, "lock", "warn", _access)


def tell_of_access(access: BreakGlass, *, clinic: Clinic, mrn: str) -> None:
    """To everybody who reviews such accesses, but not to who opened it; without anybody's name. By the bell and by e-mail.

    One query, one statement, and one more for each.
    """
    members = Membership.objects.filter(Q(roles__overlap=TOLD), clinic_id=clinic.pk, state=Membership.State.ACTIVE)
    told = members.filter(user__is_active=True).exclude(user_id=access.user_id).values_list("user__email", "user_id")
    reviewers = dict(told)
    notify(reviewers.values(), OPENED.name, clinic=clinic, about=access.pk, details={"category": access.category})
    words = {
        "mrn": mrn,
        "clinic": clinic.name,
        "category": access.get_category_display(),
        "until": date_and_time(access.expires_at, clinic.zone),
        "address": str(settings.HMS_BASE_URL) + reverse("patients:emergency-access", args=[access.pk]),
    }
    subject = _("Emergency access at %(clinic)s") % words
    for email in sorted(reviewers):
        post(kind=Kind.BREAK_GLASS, to={Channel.EMAIL: email}, channels=[Channel.EMAIL], subject=subject, text=_(WORDS) % words)


def recipient_of(patient: Patient, *, clinic: Clinic) -> Recipient:
    """A patient as they want to be told things: by the channels they chose, in their language, outside of their quiet hours, which
    are meant by the clinic's clock. One query."""
    return Recipient(
        patient_id=patient.pk,
        addresses=addresses_of(patient),
        channels=[Channel(name) for name in patient.reminder_channels],
        language=patient.language or clinic.locale,
        zone=clinic.zone,
        quiet_from=patient.quiet_from,
        quiet_until=patient.quiet_until,
        refusal=refusal_of(patient),
    )
