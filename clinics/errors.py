"""What a clinic's services refuse, beyond what all of HMS refuses."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from core.errors import NotFound


@dataclass(eq=False)
class InvitationGone(NotFound):
    """The link was used, withdrawn, is too old, or never was one: which of them, is nobody's business."""

    message: str = _("This invitation is not valid any more. Ask the clinic for a new one.")  # type: ignore[assignment]
