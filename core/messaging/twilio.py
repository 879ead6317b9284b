"""Text messages by Twilio: its Messages resource, its signature on what it sends us, and its codes.

Written to https://www.twilio.com/docs/messaging/api/message-resource and https://www.twilio.com/docs/usage/security.
"""

import base64
import hmac
import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from django.conf import settings
from django.urls import reverse

from core.messaging.models import Channel, State
from core.messaging.wire import gateway, post

UNREACHABLE = {21211, 21614, 30005, 30006}  # no valid number, no mobile phone, unknown, a landline
STOPPED = 21610
STATES = {
    "sent": State.SENT,
    "delivered": State.DELIVERED,
    "read": State.READ,
    "failed": State.FAILED,
    "undelivered": State.FAILED,
    "canceled": State.FAILED,
}


def send_by_twilio(*, message_id: str, to: str, text: str) -> None:
    """POST /2010-04-01/Accounts/{sid}/Messages.json with basic authentication. Raises NotSent.

    Twilio knows no idempotency key: after an answer that did not come the message may be on its way.
    """
    account = settings.HMS_TWILIO
    sender = account["from"]
    form = {"To": to, "Body": text}
    if settings.HMS_BASE_URL.startswith("https://"):  # an address that Twilio can't reach it refuses, and the message with it
        form["StatusCallback"] = receipts_address(message_id)
    form["MessagingServiceSid" if sender.startswith("MG") else "From"] = sender
    login = base64.b64encode(f"{account['sid']}:{account['token']}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
    path = f"/2010-04-01/Accounts/{quote(account['sid'])}/Messages.json"
    answer = post(gateway(Channel.SMS, [account["url"]]), path, urlencode(form).encode(), headers)
    if answer.is_taken:
        return
    code = _code(answer.body)
    error = answer.not_sent(code)
    error.unreachable, error.stopped = code in UNREACHABLE, code == STOPPED
    raise error


def receipts_address(message_id: str) -> str:
    """Where Twilio tells what became of a message. The id in it is covered by the signature."""
    return f"{settings.HMS_BASE_URL}{reverse('pages:receipts', args=[Channel.SMS.value])}?id={message_id}"


def signature(url: str, parameters: Mapping[str, str]) -> str:
    """X-Twilio-Signature: the address, then names and values of the form in order of their names, under the account's token."""
    said = url + "".join(f"{name}{parameters[name]}" for name in sorted(parameters))
    return base64.b64encode(hmac.new(settings.HMS_TWILIO["token"].encode(), said.encode(), "sha1").digest()).decode()


def is_twilios(url: str, parameters: Mapping[str, str], given: str) -> bool:
    return hmac.compare_digest(signature(url, parameters).encode(), given.encode())


def code_of(parameters: Mapping[str, str]) -> int:
    """Twilio's code of why it failed; 0 without one."""
    code = parameters.get("ErrorCode", "")
    return int(code) if code.isascii() and code.isdigit() and len(code) < 9 else 0


def _code(body: bytes) -> int:
    try:
        code = json.loads(body).get("code", 0)
    except (ValueError, AttributeError):
        return 0
    return code if isinstance(code, int) else 0
