"""A message to a patient as it lies before its sender, in a test's own transaction of the platform."""

import json
from typing import Any
from uuid import uuid4

from core.messaging import progress
from core.messaging.catalogue import packed, render, template_of
from core.messaging.digests import digest_of
from core.messaging.models import Channel, Kind, OutgoingMessage, PatientMessage, State
from core.tenancy.context import platform_scope
from core.tenancy.models import Clinic

EMAIL, PHONE = "ines@example.org", "+442079460018"
ADDRESSES = {Channel.EMAIL: EMAIL, Channel.SMS: PHONE, Channel.WHATSAPP: PHONE}
TEMPLATE = "appointment_reminder"


def told(clinic: Clinic, *channels: Channel, state: State = State.WAITING, **fields: Any) -> PatientMessage:
    """Written, and by default not handed over yet. Its visit is checked by nobody: `nobody_asks` is for that."""
    content = {one: render(TEMPLATE, one, "en", template_of(TEMPLATE).sample) for one in channels}
    with platform_scope(reason="test"):
        kept = PatientMessage.objects.create(
            clinic_id=clinic.pk, patient_id=uuid4(), kind=Kind.REMINDER, template=TEMPLATE, language="en", channels=list(channels),
            state=state, words="…",
        )  # fmt: skip
        values: dict[str, Any] = {
            "addresses": json.dumps({one: ADDRESSES[one] for one in channels}),
            "digests": sorted({digest_of(ADDRESSES[one]) for one in channels}),
            "channel": "" if state == State.WAITING else channels[0],
        }
        OutgoingMessage.objects.create(
            id=kept.pk, kind=Kind.REMINDER, channels=list(channels), state=state, contents=packed(content), **(values | fields)
        )
    return kept


def both(kept: PatientMessage) -> tuple[OutgoingMessage, PatientMessage]:
    """The message on its way, and what the clinic keeps of it, as they are now."""
    with platform_scope(reason="test"):
        return OutgoingMessage.objects.get(pk=kept.pk), PatientMessage.objects.get(pk=kept.pk)


def nobody_asks(monkeypatch: Any) -> None:
    """These messages are about no visit."""
    monkeypatch.setattr(progress, "_checks", {})
