"""Posting a message: a row in the caller's transaction, sent after it has committed, by whichever channel gets through."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import router, transaction

from core.messaging.channels import configured
from core.messaging.courier import courier
from core.messaging.models import Channel, Kind, OutgoingMessage

NO_CHANNEL = "no channel"


def post(
    *,
    kind: Kind,
    to: Mapping[Channel, str],
    channels: Sequence[Channel],
    subject: str,
    text: str,
    expires_at: datetime | None = None,
) -> UUID:
    """Write the message, to be tried by `channels` in their order. One statement; returns its id.

    `to` has the address for each channel; a channel without one, or that this installation doesn't have, is passed over. When
    none is left the row says that it failed, and holds nothing: whoever must not learn whether there is such a person posts to
    nobody, with the same work. After `expires_at` it is not sent any more and its content is wiped.
    """
    usable = [channel for channel in channels if to.get(channel) and channel in configured()]
    first = to[usable[0]] if usable else ""
    message = OutgoingMessage(kind=kind, to_digest=digest_of(first), channels=usable)
    if usable:
        message.addresses = json.dumps({channel: to[channel] for channel in usable})
        message.subject, message.text, message.wipe_at = subject, text, expires_at
    else:
        message.state, message.cause = OutgoingMessage.State.FAILED, NO_CHANNEL
    message.save(force_insert=True)
    transaction.on_commit(courier.wake, using=router.db_for_write(OutgoingMessage))
    return message.pk


def digest_of(address: str) -> str:
    """Under which digest messages to this address are found; addresses can't be read back from it."""
    secret = f"messages:{settings.SECRET_KEY}".encode()
    return hmac.new(secret, address.strip().casefold().encode(), hashlib.sha256).hexdigest()
