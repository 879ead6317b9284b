"""Where the figures are read: by Prometheus, and as JSON by operators."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from core.health.access import is_operator
from core.health.told import timestamp
from core.metrics.collector import Sources
from core.metrics.instruments import registry_to_read
from core.metrics.process import publisher
from core.requests import HMSRequest
from core.security.limiting.classes import RouteClass, route_class


@route_class(RouteClass.FREE)
@require_safe
def for_prometheus(request: HMSRequest) -> HttpResponse:
    """All figures in Prometheus' text form. There is no such address but for operators, the token, and the listed addresses."""
    counted, asked = _read(request)
    return HttpResponse(generate_latest(counted) + generate_latest(asked), content_type=CONTENT_TYPE_LATEST)


@route_class(RouteClass.FREE)
@require_safe
def as_json(request: HMSRequest) -> HttpResponse:
    """The same by name: a list of labels and value each. Histograms by their count and sum. For operators."""
    found: dict[str, list[dict[str, Any]]] = {}
    for registry in _read(request):
        for metric in registry.collect():
            for sample in metric.samples:
                if not sample.name.endswith(("_bucket", "_created")):
                    found.setdefault(sample.name, []).append({**sample.labels, "value": sample.value})
    return JsonResponse({"timestamp": timestamp(), "metrics": dict(sorted(found.items()))})


def _read(request: HMSRequest) -> tuple[CollectorRegistry, CollectorRegistry]:
    """What is counted, and what is asked of the database. Raises Http404 for whom there is nothing to read."""
    if not (settings.HMS_METRICS and is_operator(request)):
        raise Http404
    publisher.publish()
    asked = CollectorRegistry()
    asked.register(Sources())
    return registry_to_read(), asked
