"""What the administrators of a clinic are told by e-mail, so that what somebody does in their name is noticed."""

from uuid import UUID

from django.utils.translation import gettext as _

from core.accounts.actor import Actor
from core.accounts.models import Membership, User
from core.accounts.roles import Role
from core.messaging.models import Channel, Kind
from core.messaging.services import post


def tell_administrators(clinic_id: UUID, *, subject: str, text: str) -> None:
    """A letter to each. One statement, and one for each of them."""
    here = Membership.objects.filter(
        clinic_id=clinic_id, state=Membership.State.ACTIVE, roles__contains=[Role.CLINIC_ADMIN], user__is_active=True
    )
    for address in here.order_by("user__email").values_list("user__email", flat=True):
        post(kind=Kind.NOTICE, to={Channel.EMAIL: address}, channels=[Channel.EMAIL], subject=subject, text=text)


def who_did(actor: Actor) -> str:
    """As such a letter names them: a person by their e-mail, another system by its key's name. One query for a person."""
    if actor.scopes is not None:
        return _("The API key “%(name)s”") % {"name": actor.name}
    person = User.objects.filter(pk=actor.user_id).first() if actor.user_id else None
    return person.email if person else _("An operator")
