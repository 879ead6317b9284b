"""This process's channels end in letterboxes of the test."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.messaging.models import OutgoingMessage
from core.tenancy.context import platform_scope
from tests.factories.channels import forget_troubles
from tests.factories.letters import Letterbox, cloud_api, gateway, smtp_server, twilio


@pytest.fixture(autouse=True)
def no_channel_left_alone() -> Iterator[None]:
    yield
    forget_troubles()


@pytest.fixture
def mail(settings: Any) -> Iterator[Letterbox]:
    with smtp_server() as box:
        options = {"host": "127.0.0.1", "port": box.port, "timeout": 5}
        settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}
        yield box


@pytest.fixture
def texts(settings: Any) -> Iterator[Letterbox]:
    with gateway() as box:
        settings.HMS_MESSAGE_GATEWAYS = {"sms": f"http://127.0.0.1:{box.port}/send", "whatsapp": ""}
        settings.HMS_MESSAGE_GATEWAY_TOKENS = {"sms": "a-token"}
        yield box


@pytest.fixture
def by_twilio(settings: Any) -> Iterator[Letterbox]:
    with twilio() as box:
        url = f"http://127.0.0.1:{box.port}"
        settings.HMS_BASE_URL = "https://hms.example.org"
        settings.HMS_TWILIO = {"sid": "AC0123", "token": "a-twilio-token", "from": "+15005550006", "url": url}
        yield box


@pytest.fixture
def by_cloud_api(settings: Any) -> Iterator[Letterbox]:
    with cloud_api() as box:
        url = f"http://127.0.0.1:{box.port}/v23.0"
        account = {"number": "10550", "token": "a-meta-token", "secret": "an-app-secret", "verify": "our-word", "url": url}
        settings.HMS_WHATSAPP_CLOUD = account
        yield box


@pytest.fixture
def ledger(world: object) -> Iterator[Any]:
    """ledger() -> all messages, as hms_platform sees them; what a test leaves committed is taken away."""

    def rows() -> list[OutgoingMessage]:
        with platform_scope(reason="test"):
            return list(OutgoingMessage.objects.order_by("created_at"))

    yield rows
    with platform_scope(reason="test"):
        OutgoingMessage.objects.all().delete()
