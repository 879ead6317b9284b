"""What is done in a clinic: furnishing it, and letting people in."""

from clinics.services.furnishing import (
    create_department,
    create_location,
    create_provider,
    create_room,
    update_department,
    update_location,
    update_provider,
    update_room,
    update_settings,
)
from clinics.services.invitations import accept_invitation, invite, withdraw_invitation
from clinics.services.members import change_place_of_work
from clinics.services.protection import protect_fields

__all__ = [
    "accept_invitation",
    "change_place_of_work",
    "create_department",
    "create_location",
    "create_provider",
    "create_room",
    "invite",
    "protect_fields",
    "update_department",
    "update_location",
    "update_provider",
    "update_room",
    "update_settings",
    "withdraw_invitation",
]
