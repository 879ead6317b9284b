"""Prometheus' side of the sources. Apart from them, because its package takes megabytes and most processes only name sources."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.health.watched import ask_all
from core.metrics.sources import Figure, sources


class Sources(Collector):
    """A source that gives no answer is left out, and `hms_source_up` says so."""

    def collect(self) -> Iterator[Metric]:
        answers = ask_all(sources().values())
        up = GaugeMetricFamily("hms_source_up", "Could these figures be read?", labels=["source"])
        for name, answer in zip(sources(), answers, strict=True):
            up.add_metric([name], float(answer.value is not None))
            yield from _families(answer.value or [])
        yield up


def _families(figures: Iterable[Figure]) -> Iterator[Metric]:
    for one in figures:
        family = GaugeMetricFamily(one.name, one.text, labels=one.labels)
        for labels, value in one.values.items():
            family.add_metric(labels, value)
        yield family
