"""Addresses to which a clinic sends nothing any more: those that can't be reached, and those whose owner has answered STOP."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.utils import timezone

from core.messaging.digests import clinic_digest, digest_of
from core.messaging.models import Channel, OutgoingMessage, PatientMessage, Suppression, SuppressionReason
from core.tenancy.context import platform_scope

STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "end", "quit", "cancel", "optout", "arret", "baja", "stopp"})
START_WORDS = frozenset({"start", "unstop", "yes", "alta"})


def suppressed(clinic_id: UUID, addresses: Mapping[Channel, str]) -> set[Channel]:
    """Which of these addresses the clinic sends nothing to. One query, none without addresses."""
    if not addresses:
        return set()
    wanted = {channel.value: clinic_digest(clinic_id, address) for channel, address in addresses.items()}
    rows = Suppression.objects.filter(
        clinic_id=clinic_id, channel__in=wanted.keys(), digest__in=set(wanted.values()), lifted_at=None
    )
    return {Channel(channel) for channel, digest in rows.values_list("channel", "digest") if wanted.get(channel) == digest}


def suppressions_of(clinic_id: UUID, addresses: Mapping[Channel, str]) -> list[Suppression]:
    """The same as rows, newest first. One query."""
    wanted = {channel.value: clinic_digest(clinic_id, address) for channel, address in addresses.items()}
    rows = Suppression.objects.filter(
        clinic_id=clinic_id, channel__in=wanted.keys(), digest__in=set(wanted.values()), lifted_at=None
    )
    return [row for row in rows.order_by("-since") if wanted.get(row.channel) == row.digest]


def suppress(clinic_ids: Iterable[UUID], channel: Channel, address: str, reason: SuppressionReason) -> None:
    """From now on these clinics send nothing to the address by this channel. As hms_platform; one statement, harmless twice."""
    rows = [
        Suppression(clinic_id=one, channel=channel, digest=clinic_digest(one, address), reason=reason) for one in sorted(clinic_ids)
    ]
    if rows:
        with platform_scope(reason="messages"):
            Suppression.objects.bulk_create(rows, ignore_conflicts=True)


def answered(channel: Channel, address: str, text: str) -> bool:
    """Somebody has written back. STOP (and its like) holds for every clinic that has written to the address, START takes it back.

    Only a message that is nothing but the word counts. False for any other. Up to three statements.
    """
    word = "".join(text.split()).casefold().strip(".!")
    if word not in STOP_WORDS | START_WORDS:
        return False
    with platform_scope(reason="messages"):
        ids = OutgoingMessage.objects.filter(digests__contains=[digest_of(address)]).values("pk")
        clinic_ids = set(PatientMessage.objects.filter(pk__in=ids).values_list("clinic_id", flat=True))
        if word in STOP_WORDS:
            suppress(clinic_ids, channel, address, SuppressionReason.STOP)
        else:
            digests = [clinic_digest(one, address) for one in clinic_ids]
            stopped = Suppression.objects.filter(digest__in=digests, channel=channel, reason=SuppressionReason.STOP, lifted_at=None)
            stopped.update(lifted_at=timezone.now())
    return True
