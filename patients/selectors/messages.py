"""What a patient was told, by which channel, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zlib import crc32

from django.db.models import Q, QuerySet

from core.accounts.actor import Actor
from core.cache import TTL, Key, Tag, cache
from core.messaging.catalogue import TemplateWrong, template_of
from core.messaging.models import Channel, PatientMessage, Suppression
from core.messaging.suppression import suppressions_of
from core.tenancy.context import current_clinic_id
from patients.choices import CLOSED, ConsentKind, PatientStatus
from patients.models import Consent, Patient
from patients.policies import open_patients

A_PAGE = 50


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message, and what it is called."""

    message: PatientMessage
    label: str
    channels: str


@dataclass(frozen=True, slots=True)
class MessagePage:
    """The newest first. `older`: the id to go on before, or None."""

    rows: list[MessageRow]
    older: UUID | None


type Visible = Callable[[Actor], QuerySet[Any]]
_told_of: list[Visible] = []


def messages_tell_of(visible: Visible) -> None:
    """Called once, as HMS starts: messages are about such rows, and `visible` says which of them somebody may see."""
    _told_of.append(visible)


def messages_to(*, actor: Actor, patient_id: UUID, before: UUID | None = None) -> MessagePage:
    """What the clinic told this patient, page by page; nothing of a record that isn't open to the reader, and of visits nothing of
    those at locations that aren't theirs. One query."""
    actor.require("message", "view")
    rows = PatientMessage.objects.filter(patient_id=patient_id, patient_id__in=open_patients(actor).values("pk"))
    if actor.location_ids:
        theirs = Q(about_id=None)
        for visible in _told_of:
            theirs |= Q(about_id__in=visible(actor).values("pk"))
        rows = rows.filter(theirs)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: A_PAGE + 1])
    shown = [MessageRow(one, _label(one), ", ".join(str(Channel(name).label) for name in one.channels)) for one in found[:A_PAGE]]
    return MessagePage(shown, found[A_PAGE - 1].pk if len(found) > A_PAGE else None)


def messages_mark(*, actor: Actor, patient_id: UUID) -> str:
    """Another text whenever one of the patient's messages has come or moved on; it tells nothing of them. No query while nothing
    changes, else one."""
    actor.require("message", "view")

    def load() -> str:
        rows = PatientMessage.objects.filter(patient_id=patient_id).order_by("-pk")
        states = list(rows.values_list("pk", "state", "channel", "cause", "sent_at", "reported_at"))
        return f"{len(states)}-{crc32(repr(states).encode()):x}"

    tags = lambda: [Tag("patient_messages", patient_id)]  # noqa: E731
    return cache.get_or_set(Key("patients.messages.mark", patient_id), tags=tags, load=load, ttl=TTL.PATIENT)


def addresses_of(patient: Patient) -> dict[Channel, str]:
    """Where a patient is reached by each channel. No query."""
    given = {Channel.EMAIL: patient.email, Channel.SMS: patient.phone, Channel.WHATSAPP: patient.phone}
    return {channel: address for channel, address in given.items() if address}


def refusal_of(patient: Patient) -> str:
    """Why a patient is to be told nothing, as a code; "" when nothing stands against it. One query for a record in use, else none.

    Only a consent that was refused or taken back counts: who has never been asked is told by the channels they chose.
    """
    if patient.status in (PatientStatus.DECEASED, *CLOSED):
        return str(patient.status)
    consents = Consent.objects.filter(clinic_id=patient.clinic_id, patient_id=patient.pk, kind=ConsentKind.MESSAGES)
    given = consents.order_by("-created_at", "-id").values_list("given", flat=True).first()
    return "no consent" if given is False else ""


def suppressed_addresses(*, actor: Actor, patient: Patient) -> list[Suppression]:
    """Those of the patient's addresses to which nothing is sent. One query."""
    actor.require("message", "view")
    addresses = {} if patient.is_withheld else addresses_of(patient)
    return suppressions_of(current_clinic_id(), addresses) if addresses else []


def _label(message: PatientMessage) -> str:
    try:
        return str(template_of(message.template).label)
    except TemplateWrong:  # of a version before this one
        return message.template
