"""What gateways tell us: what became of a message, and that somebody has answered STOP. Believed only with their signature."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from django.conf import settings
from django.utils.crypto import constant_time_compare

from core.messaging import generic, twilio, whatsapp
from core.messaging.models import Channel, State
from core.messaging.progress import reported
from core.messaging.suppression import answered


class NotGenuine(Exception):
    """Without the signature, or with a wrong one: nothing of it was read."""


class Malformed(Exception):
    """Signed, and not what its sender's description says."""


@dataclass(frozen=True, slots=True)
class Call:
    """A gateway's request: the whole address as it was called, the body as it came, the headers."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    message_id: UUID
    state: State
    code: str = ""
    unreachable: bool = False
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody wrote back, from which address."""

    address: str
    text: str


News = Iterator[Receipt | Reply]


def take_news(channel: Channel, call: Call) -> int:
    """Note what a gateway tells. The same news twice, and older ones, change nothing. Returns how many changed something.

    Raises NotGenuine and Malformed.
    """
    return sum(_noted(channel, one) for one in list(_news(channel, call)))


def challenge_of(parameters: Mapping[str, str]) -> str:
    """The answer to Meta's question whether this address is ours. Raises NotGenuine."""
    token, given = settings.HMS_WHATSAPP_CLOUD["verify"], parameters.get("hub.verify_token", "")
    if not token or parameters.get("hub.mode") != "subscribe" or not constant_time_compare(token, given):
        raise NotGenuine
    return parameters.get("hub.challenge", "")


def _noted(channel: Channel, one: Receipt | Reply) -> bool:
    if isinstance(one, Reply):
        return answered(channel, one.address, one.text)
    return reported(one.message_id, channel, one.state, code=one.code, unreachable=one.unreachable, stopped=one.stopped)


def _news(channel: Channel, call: Call) -> News:
    if channel == Channel.SMS and settings.HMS_TWILIO["sid"]:
        return _from_twilio(call)
    if channel == Channel.WHATSAPP and settings.HMS_WHATSAPP_CLOUD["number"]:
        return _from_meta(call)
    return _from_gateway(channel, call)


# --- Twilio -----------------------------------------------------------------------------------------------------------------
def _from_twilio(call: Call) -> News:
    try:
        form = dict(parse_qsl(call.body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:  # also a body that is no UTF-8
        raise Malformed from error
    if not twilio.is_twilios(call.url, form, call.headers.get("X-Twilio-Signature", "")):
        raise NotGenuine
    if "MessageStatus" not in form:
        yield Reply(form.get("From", ""), form.get("OptOutType") or form.get("Body", ""))
    elif state := twilio.STATES.get(form["MessageStatus"]):
        code = twilio.code_of(form)
        asked = dict(parse_qsl(urlsplit(call.url).query)).get("id", "")
        yield Receipt(_id(asked), state, str(code or ""), code in twilio.UNREACHABLE, code == twilio.STOPPED)


# --- WhatsApp Cloud API -----------------------------------------------------------------------------------------------------
def _from_meta(call: Call) -> News:
    if not settings.HMS_WHATSAPP_CLOUD["secret"]:
        raise NotGenuine
    if not whatsapp.is_metas(call.body, call.headers.get("X-Hub-Signature-256", "")):
        raise NotGenuine
    try:
        for value in [change["value"] for entry in json.loads(call.body)["entry"] for change in entry["changes"]]:
            yield from map(_status, (one for one in value.get("statuses", []) if one.get("status") in whatsapp.STATES))
            yield from (_reply(one) for one in value.get("messages", []) if one.get("type") in ("text", "button"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed from error


def _status(one: dict[str, Any]) -> Receipt:
    codes = {error.get("code") for error in one.get("errors", [])}
    code = ", ".join(sorted(str(code) for code in codes))
    unreachable, stopped = bool(codes & whatsapp.UNREACHABLE), bool(codes & whatsapp.STOPPED)
    return Receipt(_id(one.get("biz_opaque_callback_data", "")), whatsapp.STATES[one["status"]], code, unreachable, stopped)


def _reply(one: dict[str, Any]) -> Reply:
    said = one["text"]["body"] if one["type"] == "text" else one["button"]["text"]
    return Reply(f"+{one['from'].removeprefix('+')}", str(said))


# --- A gateway of one's own -------------------------------------------------------------------------------------------------
def _from_gateway(channel: Channel, call: Call) -> News:
    if not generic.is_gateways(channel, call.body, call.headers.get(generic.HEADER, "")):
        raise NotGenuine
    try:
        said = json.loads(call.body)
        if "from" in said:
            yield Reply(str(said["from"]), str(said["text"]))
            return
        state, code = generic.STATES[said["state"]], str(said.get("error", ""))[:40]
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed from error
    yield Receipt(_id(said.get("id", "")), state, code, said.get("unreachable") is True, said.get("stopped") is True)


def _id(text: object) -> UUID:
    """Raises Malformed: a message that isn't ours."""
    try:
        return UUID(str(text))
    except ValueError as error:
        raise Malformed from error
