"""WhatsApp by Meta's Cloud API: template messages, the signature on its webhooks, and its codes.

Written to https://developers.facebook.com/documentation/business-messaging/whatsapp: messages, webhooks, error codes.
"""

import hmac
import json
from collections.abc import Sequence

from django.conf import settings

from core.messaging.models import Channel, State
from core.messaging.wire import gateway, leave_alone, post

SLOWER = {4, 80007, 130429, 131056}  # too many requests, of one kind or another
UNREACHABLE = {131026}
STOPPED = {131050}
STATES = {"sent": State.SENT, "delivered": State.DELIVERED, "read": State.READ, "failed": State.FAILED}


def send_by_cloud_api(*, message_id: str, phone: str, template: str, language: str, parameters: Sequence[str]) -> None:
    """POST /{phone number id}/messages with a bearer token. Raises NotSent.

    The template of this name and language has been approved by Meta. Our id travels along and comes
    back with each receipt. The API knows no idempotency key.
    """
    account = settings.HMS_WHATSAPP_CLOUD
    filled = {"type": "body", "parameters": [{"type": "text", "text": one} for one in parameters]}
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": phone.removeprefix("+"),
        "type": "template",
        "template": {"name": template, "language": {"code": language}, "components": [filled]},
        "biz_opaque_callback_data": message_id,
    }
    headers = {"Authorization": f"Bearer {account['token']}", "Content-Type": "application/json"}
    to = gateway(Channel.WHATSAPP, [account["url"]])
    answer = post(to, f"/{account['number']}/messages", json.dumps(body).encode(), headers)
    if answer.is_taken:
        return
    code = _code(answer.body)
    if code in SLOWER:
        leave_alone(to)
    error = answer.not_sent(code)
    error.unreachable, error.stopped = code in UNREACHABLE, code in STOPPED
    raise error


def signature(body: bytes) -> str:
    """X-Hub-Signature-256: of the body as it came, under the app's secret."""
    return "sha256=" + hmac.new(settings.HMS_WHATSAPP_CLOUD["secret"].encode(), body, "sha256").hexdigest()


def is_metas(body: bytes, given: str) -> bool:
    return hmac.compare_digest(signature(body).encode(), given.encode())


def _code(body: bytes) -> int:
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return 0
    return code if isinstance(code, int) else 0
