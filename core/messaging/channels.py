"""The ways out of the house: e-mail by SMTP, text messages and WhatsApp by an HTTP gateway."""

import http.client
import json
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage

from core.messaging.models import Channel

SECONDS = 10  # for a gateway to answer; SMTP has its own in settings.MAILERS


class NotSent(Exception):
    """`cause` is short and says nothing of the message. `certain`: it has surely not gone out by this channel."""

    def __init__(self, cause: str, *, certain: bool = True) -> None:
        super().__init__(cause)
        self.cause, self.certain = cause, certain


@dataclass(frozen=True, slots=True)
class Letter:
    """What a channel is given. `id` is the same at each try: a gateway that has seen it sends nothing again."""

    id: UUID
    kind: str
    address: str
    subject: str
    text: str


def configured() -> frozenset[Channel]:
    """The channels that this installation has."""
    gateways = {channel for channel, url in settings.HMS_MESSAGE_GATEWAYS.items() if url}
    return frozenset(Channel(name) for name in (gateways | {Channel.EMAIL} if settings.MAILERS else gateways))


def send(channel: Channel, letter: Letter) -> None:
    """Hand the letter over. Raises NotSent."""
    _WAYS[channel](channel, letter)


def _by_email(_channel: Channel, letter: Letter) -> None:
    if not settings.MAILERS:
        raise NotSent("not configured")
    headers = {"Message-ID": f"<{letter.id}@{settings.HMS_BASE_DOMAIN}>", "Auto-Submitted": "auto-generated"}
    mail = EmailMessage(letter.subject, letter.text, settings.DEFAULT_FROM_EMAIL, [letter.address], headers=headers)
    try:
        mail.send(using="default")
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSent("address refused") from error
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"SMTP {error.smtp_code}") from error
    except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
        raise NotSent(type(error).__name__, certain=False) from error  # perhaps after it had taken the letter
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(type(error).__name__) from error


def _by_gateway(channel: Channel, letter: Letter) -> None:
    """POST as JSON, with the letter's id as idempotency key; any 2xx means that the gateway has taken it. No redirects."""
    address = urlsplit(settings.HMS_MESSAGE_GATEWAYS.get(channel, ""))
    if not address.hostname:
        raise NotSent("not configured")
    body = json.dumps(
        {"id": str(letter.id), "channel": str(channel), "kind": letter.kind, "to": letter.address, "text": letter.text}
    )
    headers = {"Content-Type": "application/json", "Idempotency-Key": str(letter.id)}
    if token := settings.HMS_MESSAGE_GATEWAY_TOKENS.get(channel):
        headers["Authorization"] = f"Bearer {token}"
    if address.scheme == "https":
        context = ssl.create_default_context()
        line: http.client.HTTPConnection = http.client.HTTPSConnection(address.netloc, timeout=SECONDS, context=context)
    else:
        line = http.client.HTTPConnection(address.netloc, timeout=SECONDS)
    try:
        line.request("POST", f"{address.path or '/'}{'?' if address.query else ''}{address.query}", body.encode(), headers)
        status = line.getresponse().status
    except ConnectionRefusedError as error:
        raise NotSent("no connection") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotSent(type(error).__name__, certain=False) from error
    finally:
        line.close()
    if not 200 <= status < 300:
        raise NotSent(f"HTTP {status}", certain=status < 500)


_WAYS: dict[Channel, Callable[[Channel, Letter], None]] = {
    Channel.EMAIL: _by_email,
    Channel.SMS: _by_gateway,
    Channel.WHATSAPP: _by_gateway,
}
