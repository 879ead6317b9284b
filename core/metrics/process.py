"""What the parts of this process have counted by themselves, told to the instruments every few seconds."""

import gc
import logging
import threading
from typing import Any

import psutil
from prometheus_client import Counter

from core.cache import cache
from core.database import detector
from core.database.pool import breaker_statistics, pool_statistics
from core.listening import listener
from core.memory.watch import watch_counts
from core.metrics.instruments import counter, gauge
from core.outbound.registry import registry as systems
from core.realtime.hub import hub

logger = logging.getLogger(__name__)

EVERY = 5.0  # seconds; the process that is asked tells what it has at that moment

processes = gauge("hms_processes", "Web processes that live.")
resident = gauge("hms_process_resident_bytes", "Memory of the web processes.")
largest = gauge("hms_process_resident_bytes_max", "Memory of the largest web process.", highest=True)
threads = gauge("hms_process_threads", "Threads.")
files = gauge("hms_process_open_files", "File descriptors.")
cpu = counter("hms_process_cpu_seconds", "Processor time.", ("mode",))
collections = counter("hms_python_gc_collections", "Runs of the garbage collector.", ("generation",))
uncollectable = counter("hms_python_gc_uncollectable", "Objects that could not be collected.", ("generation",))
memory_percent = gauge("hms_memory_used_percent", "Of the limit that is nearest to a web process, as it last looked.", highest=True)
memory_actions = counter("hms_memory_actions", "What web processes did because memory was short.", ("action",))
memory_freed = counter("hms_memory_freed_bytes", "What caches gave up.")

pool_connections = gauge("hms_pool_connections", "Connections of the pools.", ("alias", "state"))
pool_queue = gauge("hms_pool_requests_waiting", "Who waits for a connection at this moment.", ("alias",))
pool_events = counter("hms_pool_events", "What the pools have counted.", ("alias", "event"))
pool_waited = counter("hms_pool_wait_seconds", "Time spent waiting for a connection.", ("alias",))
breaker_open = gauge("hms_database_breakers_open", "Breakers that are open: ways into a database that is away.")
breaker_events = counter("hms_database_breaker_events", "Times that a breaker opened, and uses that it refused.", ("event",))
statements = counter("hms_database_statements", "Statements of requests.")
database_seconds = counter("hms_database_seconds", "Time of requests in the database.")
repeating = counter("hms_requests_repeating", "Requests that sent a statement three times or more.")

cache_reads = counter("hms_cache_reads", "Reads through the cache.", ("family", "result"))
cache_events = counter("hms_cache_events", "Values found stale, and waits for another's loading.", ("family", "event"))
cache_seconds = counter("hms_cache_load_seconds", "Time in loaders.", ("family",))

hearing = gauge("hms_bus_listening", "Web processes that hear what is committed.")
streams = gauge("hms_streams_open", "Streams that are open.", ("kind",))
stream_events = counter("hms_stream_events", "Events delivered to streams or lost by slow ones, and other counts.", ("event",))
stream_lag = gauge("hms_stream_lag_seconds", "From the writing of the last event to its readers.", highest=True)

outbound = counter("hms_outbound_requests", "Requests to other systems, by outcome.", ("system", "outcome"))
outbound_seconds = counter("hms_outbound_seconds", "Time of requests to other systems.", ("system",))
outbound_open = gauge("hms_outbound_breakers_open", "Endpoints that are left alone.", ("system",))

READS = {"memory_hits": "memory", "redis_hits": "redis", "misses": "miss", "passed": "passed"}
POOL_EVENTS = {
    "requests_num": "requests",
    "requests_queued": "queued",
    "requests_errors": "errors",
    "connections_num": "connects",
    "connections_errors": "connect_errors",
    "connections_lost": "lost",
    "returns_bad": "bad_returns",
}
STREAM_EVENTS = ("opened", "delivered", "dropped", "resyncs", "reads", "read_failures")


class Publisher:
    """Tells what has been added since it last did. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[tuple[str, ...], float] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._process: psutil.Process | None = None

    def start(self) -> None:
        """In each web process, never before the fork."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="hms-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    def publish(self) -> None:
        """Tell everything now. No query."""
        with self._lock:
            self._runtime()
            self._memory()
            self._databases()
            self._caches()
            self._live()
            self._outbound()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.publish()
            except Exception:  # the thread's own boundary
                logger.exception("The figures of this process could not be told.")
            self._stop.wait(EVERY)

    def _grown(self, what: Counter, total: float, *labels: str) -> None:
        """The counter grows by what `total` has grown; a total that has begun anew counts from 0."""
        key = (what._name, *labels)
        before = self._told.get(key, 0.0)
        added = total - before if total >= before else total
        self._told[key] = total
        (what.labels(*labels) if labels else what).inc(added)

    def _runtime(self) -> None:
        if self._process is None:
            self._process = psutil.Process()
        with self._process.oneshot():
            rss, times = self._process.memory_info().rss, self._process.cpu_times()
            threads.set(self._process.num_threads())
            files.set(self._process.num_fds())
        processes.set(1)
        resident.set(rss)
        largest.set(rss)
        self._grown(cpu, times.user, "user")
        self._grown(cpu, times.system, "system")
        for generation, stats in enumerate(gc.get_stats()):
            self._grown(collections, stats["collections"], str(generation))
            self._grown(uncollectable, stats["uncollectable"], str(generation))

    def _memory(self) -> None:
        counts = watch_counts()
        memory_percent.set(counts.percent)
        for action in ("trimmed", "collected", "left"):
            self._grown(memory_actions, getattr(counts, action), action)
        self._grown(memory_freed, counts.freed)

    def _databases(self) -> None:
        for alias, said in pool_statistics().items():
            size, idle = said.get("pool_size", 0), said.get("pool_available", 0)
            pool_connections.labels(alias, "idle").set(idle)
            pool_connections.labels(alias, "in_use").set(size - idle)
            pool_queue.labels(alias).set(said.get("requests_waiting", 0))
            self._grown(pool_waited, said.get("requests_wait_ms", 0) / 1000, alias)
            for name, event in POOL_EVENTS.items():
                self._grown(pool_events, said.get(name, 0), alias, event)
        found = breaker_statistics().values()
        breaker_open.set(sum(one["is_open"] for one in found))
        self._grown(breaker_events, sum(one["opened"] for one in found), "opened")
        self._grown(breaker_events, sum(one["refused"] for one in found), "refused")
        counted = detector.statistics.totals()
        self._grown(statements, counted.statements)
        self._grown(database_seconds, counted.milliseconds / 1000)
        self._grown(repeating, counted.repeating)

    def _caches(self) -> None:
        for family, said in cache.statistics.snapshot().items():
            for name, result in READS.items():
                self._grown(cache_reads, said[name], family, result)
            for event in ("invalidated", "waited"):
                self._grown(cache_events, said[event], family, event)
            self._grown(cache_seconds, said["load_seconds"], family)

    def _live(self) -> None:
        said = hub.figures.snapshot()
        hearing.set(listener.stamp() is not None)
        for kind in ("sse", "websocket"):
            streams.labels(kind).set(said[kind])
        for event in STREAM_EVENTS:
            self._grown(stream_events, said[event], event)
        stream_lag.set(said["lag"])

    def _outbound(self) -> None:
        found: dict[str, dict[str, Any]] = {}
        for one in systems.figures():
            total = found.setdefault(one.system, {"seconds": 0.0, "open": 0, "outcomes": {}})
            total["seconds"] += one.seconds
            total["open"] += one.is_open
            for outcome, count in one.outcomes.items():
                total["outcomes"][outcome] = total["outcomes"].get(outcome, 0) + count
        for system, total in found.items():
            self._grown(outbound_seconds, total["seconds"], system)
            outbound_open.labels(system).set(total["open"])
            for outcome, count in total["outcomes"].items():
                self._grown(outbound, count, system, outcome)


publisher = Publisher()
