"""The ways out of the house: e-mail by SMTP, text messages and WhatsApp by the gateway that the installation has."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from core.messaging import generic
from core.messaging.models import Channel
from core.messaging.smtp import send_mail
from core.messaging.twilio import send_by_twilio
from core.messaging.whatsapp import send_by_cloud_api
from core.messaging.wire import NotSent, gateway, post


@dataclass(frozen=True, slots=True)
class Letter:
    """What a channel is given. `id` is the same at each try: a gateway that has seen it sends nothing again.

    `template`, `language` and `parameters` are there where the words come from the catalogue.
    """

    id: UUID
    kind: str
    address: str
    subject: str
    text: str
    html: str = ""
    template: str = ""
    language: str = ""
    parameters: list[str] = field(default_factory=list)


def configured() -> frozenset[Channel]:
    """The channels that this installation has."""
    gateways = {Channel(channel) for channel, url in settings.HMS_MESSAGE_GATEWAYS.items() if url}
    if settings.HMS_TWILIO["sid"]:
        gateways.add(Channel.SMS)
    if settings.HMS_WHATSAPP_CLOUD["number"]:
        gateways.add(Channel.WHATSAPP)
    return frozenset(gateways | {Channel.EMAIL} if settings.MAILERS else gateways)


def send(channel: Channel, letter: Letter) -> None:
    """Hand the letter over. Raises NotSent."""
    _WAYS[channel](letter)


def _by_email(letter: Letter) -> None:
    send_mail(message_id=str(letter.id), to=letter.address, subject=letter.subject, text=letter.text, html=letter.html)


def _by_sms(letter: Letter) -> None:
    if settings.HMS_TWILIO["sid"]:
        send_by_twilio(message_id=str(letter.id), to=letter.address, text=letter.text)
    else:
        _by_gateway(Channel.SMS, letter)


def _by_whatsapp(letter: Letter) -> None:
    if not settings.HMS_WHATSAPP_CLOUD["number"]:
        _by_gateway(Channel.WHATSAPP, letter)
        return
    if not letter.template:
        raise NotSent("no template")  # Meta takes free words only within a day of the person's own
    send_by_cloud_api(
        message_id=str(letter.id),
        phone=letter.address,
        template=letter.template,
        language=letter.language,
        parameters=letter.parameters,
    )


def _by_gateway(channel: Channel, letter: Letter) -> None:
    """POST as JSON, with the letter's id as idempotency key; any 2xx means that the gateway has taken it."""
    body = {"id": str(letter.id), "channel": str(channel), "kind": letter.kind, "to": letter.address, "text": letter.text}
    if letter.template:
        body |= {"template": letter.template, "language": letter.language, "parameters": letter.parameters}  # type: ignore[dict-item]
    token = settings.HMS_MESSAGE_GATEWAY_TOKENS.get(channel, "")
    headers = generic.headers(str(letter.id), token)
    to = gateway(channel, settings.HMS_MESSAGE_GATEWAYS.get(channel, "").split())
    answer = post(to, "", json.dumps(body).encode(), headers)
    if not answer.is_taken:
        raise answer.not_sent()


_WAYS: dict[Channel, Callable[[Letter], None]] = {
    Channel.EMAIL: _by_email,
    Channel.SMS: _by_sms,
    Channel.WHATSAPP: _by_whatsapp,
}
