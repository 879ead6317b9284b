"""Webhooks are sent of what is committed: these tests commit, on connections of their own, and take away what they left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from core.accounts.actor import Actor, system_actor
from core.accounts.roles import Role
from core.tenancy.context import clinic_scope
from core.webhooks import sending, services
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from core.webhooks.sending import deliver_due
from patients import events
from patients.models import Patient
from tests.architecture.catalogue import connected
from tests.core.webhooks.receiver import Receiver
from tests.factories.endpoints import Endpoint, Taken, Told, endpoints
from tests.factories.leftovers import leftovers
from tests.factories.patience import eventually
from tests.factories.threads import apart
from tests.factories.world import Place

EVENTS = ["patient.changed", "patient.registered"]


@dataclass
class Integrator:
    """A clinic's webhook and the system behind it."""

    place: Place
    end: Endpoint
    receiver: Receiver
    endpoint: WebhookEndpoint

    @property
    def actor(self) -> Actor:
        return self.place.actor(Role.CLINIC_ADMIN)

    def does(self, service: Callable[..., Any], **given: Any) -> Any:
        """A service by the clinic's administrator, committed."""
        return committed(self.place, lambda: service(actor=self.actor, **given))

    def announce(self, patient: Patient, times: int = 1) -> None:
        """The patient changed so often, each time in a transaction of its own."""
        from core.events.announcing import announce

        for _ in range(times):
            committed(self.place, lambda: announce(events.CHANGED, patient.pk, patient=patient.pk))

    def row(self) -> WebhookEndpoint:
        found: WebhookEndpoint = committed(self.place, lambda: WebhookEndpoint.objects.get(pk=self.endpoint.pk))
        return found

    def deliveries(self, **such: Any) -> list[WebhookDelivery]:
        found: list[WebhookDelivery] = committed(
            self.place, lambda: list(WebhookDelivery.objects.filter(endpoint=self.endpoint, **such).order_by("seq", "created_at"))
        )
        return found

    def send_until(self, true: Callable[[], Any]) -> None:
        """Let the sender run until it is so."""

        def sent() -> Any:
            apart(deliver_due)
            return true()

        eventually(sent)

    def all_due(self) -> None:
        """As if every pause were over."""

        def now() -> None:
            WebhookDelivery.objects.filter(state="waiting").update(due_at=sending.timezone.now())
            WebhookEndpoint.objects.update(rests_until=None)

        committed(self.place, now)


def forget_letters() -> None:
    """That a webhook was set up is told to its clinic's administrators: none of what a test looks for."""
    with connected("postgres") as found:
        found.execute("DELETE FROM core_outgoingmessage")
        found.execute("DELETE FROM core_job WHERE kind = 'messages.send'")
        found.commit()


def committed(place: Place, call: Callable[[], Any]) -> Any:
    def run() -> Any:
        with clinic_scope(place.clinic, reason="test"):
            return call()

    return apart(run)[0]


@pytest.fixture
def swept(world: object) -> Iterator[None]:
    yield
    leftovers.clear()


@pytest.fixture
def make_integrator(swept: None, settings: Any, riverside: Place) -> Iterator[Callable[..., Integrator]]:
    """make_integrator(place, events=[...]) -> an Integrator whose receiver is up."""
    settings.HMS_WEBHOOK_ALLOW = ["127.0.0.1"]
    stack = []

    def made(place: Place = riverside, events: list[str] = EVENTS, name: str = "Laboratory system") -> Integrator:
        opened = endpoints(1)
        (end,) = opened.__enter__()
        stack.append(opened)
        data = {"name": name, "url": f"{end.url}/hms", "events": events}
        actor = system_actor(place.clinic.pk)
        endpoint, secret = committed(place, lambda: services.create_webhook(actor=actor, data=data))
        forget_letters()
        receiver = Receiver(secret)
        end.answer = lambda taken: answered(receiver, taken)
        return Integrator(place, end, receiver, endpoint)

    yield made
    for opened in stack:
        opened.__exit__(None, None, None)


def answered(receiver: Receiver, taken: Taken) -> Told:
    return Told(receiver.take(taken.headers, taken.body))


@pytest.fixture
def integrator(make_integrator: Callable[..., Integrator]) -> Integrator:
    return make_integrator()
