"""Where gateways tell what became of messages. Nobody signs in here: each call is believed for its signature, or not at all."""

import logging

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core.messaging.models import Channel
from core.messaging.receipts import Call, Malformed, NotGenuine, challenge_of, take_news
from core.requests import HMSRequest
from core.security.limiting.classes import RouteClass, route_class

logger = logging.getLogger(__name__)


@route_class(RouteClass.FREE)
@csrf_exempt
@require_http_methods(["GET", "POST"])
def receipts(request: HMSRequest, channel: str) -> HttpResponse:
    """204 for what was understood, also the second time; 403 without the gateway's signature; 400 for what its description doesn't
    know; 404 for what is no channel. GET answers the question with which Meta checks an address."""
    if channel not in Channel.values:
        return _plain(404)
    try:
        if request.method == "GET":
            if channel != Channel.WHATSAPP or not settings.HMS_WHATSAPP_CLOUD["verify"]:
                return HttpResponseNotAllowed(["POST"])
            return HttpResponse(challenge_of(request.GET.dict()), content_type="text/plain; charset=utf-8")
        url = f"{settings.HMS_BASE_URL}{request.get_full_path()}"  # as the gateway was told; a proxy may call us otherwise
        take_news(Channel(channel), Call(url, request.body, request.headers))
    except NotGenuine:
        logger.warning("A call without the gateway's signature came for the channel %s.", channel)
        return _plain(403)
    except Malformed:
        logger.warning("A signed call that says nothing known came for the channel %s.", channel)
        return _plain(400)
    return HttpResponse(status=204)


def _plain(status: int) -> HttpResponse:
    return HttpResponse(status=status, content_type="text/plain; charset=utf-8")
