"""The gateway of one's own: what stands around a message to it, and the signature on what it reports (docs/messages.md)."""

import hmac
import re
import time

from django.conf import settings

from core.messaging.models import Channel, State

HEADER = "X-HMS-Signature"
TOLERANCE = 300  # seconds between a report's signature and its arrival
SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
STATES = {"sent": State.SENT, "delivered": State.DELIVERED, "read": State.READ, "failed": State.FAILED}


def headers(message_id: str, token: str) -> dict[str, str]:
    said = {"Content-Type": "application/json", "Idempotency-Key": message_id}
    return said | {"Authorization": f"Bearer {token}"} if token else said


def signature(channel: Channel, body: bytes, at: int) -> str:
    """`t=<seconds since 1970>,v1=<HMAC-SHA256 of "<seconds>.<body>" in hex>`, under the channel's secret."""
    secret = settings.HMS_MESSAGE_GATEWAY_SECRETS.get(channel, "")
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + body, 'sha256').hexdigest()}"


def is_gateways(channel: Channel, body: bytes, given: str) -> bool:
    """Made with the secret, within the last minutes. A channel without a secret takes no reports."""
    found = SIGNATURE.fullmatch(given)
    if found is None or not settings.HMS_MESSAGE_GATEWAY_SECRETS.get(channel):
        return False
    at = int(found[1])
    return abs(time.time() - at) <= TOLERANCE and hmac.compare_digest(signature(channel, body, at), given)
