"""What this process knows of its channels: how much trouble there was, and how to let it be over."""

from core.messaging import smtp
from core.messaging.models import Channel
from core.outbound.breakers import Breaker
from core.outbound.registry import registry


def forget_troubles() -> None:
    """As after a start."""
    registry.forget()
    smtp.reset()


def breaker_of(channel: Channel) -> Breaker:
    """Of the channel's first address; a gateway has been asked already."""
    if channel == Channel.EMAIL:
        return smtp.mail_breaker()
    return registry._clients[f"messages.{channel}"].endpoints[0].breaker


def pause_is_over(channel: Channel) -> None:
    """The gateway may be tried again, by one message."""
    breaker_of(channel)._local.until = 0.0


def seconds_left(channel: Channel) -> float:
    local = breaker_of(channel)._local
    return max(0.0, local.until - local.clock())
