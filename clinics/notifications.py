"""What a clinic writes to people who may come to work there."""

from clinics.models import Invitation


def ask_to_join(invitation: Invitation, *, by: str, address: str) -> None:
    """The invitation itself, with its link. It leaves when the transaction is committed."""
    words = {"clinic": invitation.own_clinic().name, "by": by, "address": address, "until": invitation.expires_at}
