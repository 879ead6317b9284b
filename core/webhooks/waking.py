"""Letting webhooks be sent soon: after a change that some endpoint of its clinic wants to hear of."""

from dataclasses import dataclass
from uuid import UUID

from django.db import router

from core.cache import TTL, Tag, cached
from core.events.models import DomainEvent
from core.jobs.services import begin_soon
from core.tenancy.context import clinic_scope
from core.tenancy.units import once_after_commit
from core.webhooks.models import WebhookDelivery, WebhookEndpoint

SENDING = "webhooks.send"  # the job


@cached("core.webhooks.wanted", ttl=TTL.CLINIC, tags=lambda: [Tag.all(WebhookEndpoint)])
def wanted_events() -> frozenset[str]:
    """The names of the events that endpoints of the scope's clinic want. No query, or one."""
    lists = WebhookEndpoint.objects.filter(is_active=True).values_list("events", flat=True)
    return frozenset(name for names in lists for name in names)


@dataclass(frozen=True, slots=True)
class _Happened:
    """Done after the commit: within a transaction that has written nothing is read from the cache."""

    clinic_id: UUID
    name: str

    def __call__(self) -> None:
        with clinic_scope(self.clinic_id, reason="webhooks"):
            wanted = self.name in wanted_events()
        if wanted:
            begin_soon(SENDING)


def note_event(event: DomainEvent) -> None:
    """A subscriber of every event. No statement in its transaction."""
    once_after_commit(_Happened(event.clinic_id, event.name), using=router.db_for_write(DomainEvent))


def _send() -> None:
    begin_soon(SENDING)


def send_soon() -> None:
    """After deliveries were written that no event has led to. No statement in the caller's transaction."""
    once_after_commit(_send, using=router.db_for_write(WebhookDelivery))
