"""What a clinic writes to people who may come to work there."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clinics.models import Invitation
from core.accounts.administrators import tell_administrators
from core.messaging.models import Channel, Kind
from core.messaging.services import post
from core.times import date_and_time

WORDS = gettext_noop("""%(by)s invites you to join %(clinic)s in HMS.

Open this link to join:
%(address)s

It is valid until %(until)s, and once only. If you don't expect this, do nothing: without the link nobody joins in your name.""")


def ask_to_join(invitation: Invitation, *, by: str, address: str) -> None:
    """The invitation itself, with its link: sent after the commit, and not kept once it is out. One statement."""
    clinic = invitation.own_clinic()
    until = date_and_time(invitation.expires_at, clinic.zone)
    post(
        kind=Kind.INVITATION,
        to={Channel.EMAIL: invitation.email},
        channels=[Channel.EMAIL],
        subject=_("Join %(clinic)s") % {"clinic": clinic.name},
        text=_(WORDS) % {"by": by, "clinic": clinic.name, "address": address, "until": until},
        expires_at=invitation.expires_at,
    )


def tell_of_invited_administrator(invitation: Invitation, *, by: str) -> None:
    """To the administrators that there are. Up to two statements, and one for each."""
    clinic = invitation.own_clinic()
    text = _(
        "Hello,\n\n%(by)s has invited %(email)s to be an administrator of %(clinic)s in HMS, who can do what you can.\n\n"
        "If nobody of you wanted that, withdraw the invitation at once (Settings, People) and change your passwords."
    ) % {"by": by, "email": invitation.email, "clinic": clinic.name}
    tell_administrators(clinic.pk, subject=_("A new administrator for %(clinic)s") % {"clinic": clinic.name}, text=text)
