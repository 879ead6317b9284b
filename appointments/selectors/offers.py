"""Who offers a service: what every booking looks up and seldom changes, kept as rows."""

from dataclasses import dataclass
from uuid import UUID

from appointments.models import Service, ServiceProvider
from clinics.models import Provider
from core.cache import TTL, Tag, cached
from core.cache.rows import Row, frozen_row, thawed


def offered(service_id: UUID, provider_id: UUID) -> tuple[Service, Provider] | None:
    """Service and provider when the one is offered by the other, active or not. No query, or one."""
    offers = _offers(service_id)
    row = dict(offers.providers).get(provider_id) if offers else None
    return (thawed(Service, offers.service), thawed(Provider, row)) if offers and row else None


@dataclass(frozen=True, slots=True)
class _Offers:
    """A service, and who offers it by id."""

    service: Row
    providers: tuple[tuple[UUID, Row], ...]


@cached("booking.offers", ttl=TTL.CLINIC, tags=lambda _: map(Tag.all, (Service, Provider, ServiceProvider)))
def _offers(service_id: UUID) -> _Offers | None:
    offers = list(ServiceProvider.objects.filter(service_id=service_id).select_related("service", "provider"))
    rows = tuple((offer.provider_id, frozen_row(offer.provider)) for offer in offers)
    return _Offers(frozen_row(offers[0].service), rows) if offers else None
