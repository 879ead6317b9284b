"""Endpoints that die and come back one after the other under load: no request fails while one of them lives."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.outbound.addresses import Guard
from core.outbound.breakers import LIMIT, Pace
from core.outbound.client import Client
from core.outbound.errors import OutboundTrouble
from core.outbound.figures import EndpointFigures
from core.outbound.systems import LEAST_CONNECTIONS, ROUND_ROBIN, System
from core.redis import RedisLink
from tests.factories.endpoints import Endpoint, endpoints
from tests.factories.patience import eventually
from tests.factories.redis_server import redis_server

THREADS = 6
LOOPBACK = Guard.of(["127.0.0.1"])


class Load:
    """Threads that ask all the time: half of it reads, half writes with a key of its own each."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients, self._stop = clients, threading.Event()
        self.errors: list[str] = []
        self.answered: Counter[int] = Counter()

    def ask(self, number: int) -> None:
        client = self._clients[number % len(self._clients)]
        while not self._stop.is_set():
            try:
                if number % 2:
                    client.request("GET", "/read")
                else:
                    client.request("POST", "/write", json={}, idempotency_key=f"{number}-{self.answered[number]}")
            except OutboundTrouble as error:
                self.errors.append(str(error))
            self.answered[number] += 1

    def more(self, count: int) -> None:
        """Wait until so many more requests were answered, and none failed."""
        aim = self.answered.total() + count
        eventually(lambda: self.errors or self.answered.total() >= aim, 60)
        assert not self.errors, self.errors[:3]

    def __enter__(self) -> "Load":
        self._pool = ThreadPoolExecutor(THREADS)
        self._running = [self._pool.submit(self.ask, number) for number in range(THREADS)]
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for one in self._running:
            one.result(30)
        self._pool.shutdown()


def figures_of(client: Client, end: Endpoint) -> EndpointFigures:
    return next(one for one in client.figures() if one.endpoint == f"127.0.0.1:{end.port}")


def failures_of(client: Client, end: Endpoint) -> int:
    """How often it gave no answer."""
    outcomes = figures_of(client, end).outcomes
    return sum(outcomes.values()) - outcomes.get("2xx", 0)


@pytest.mark.parametrize("balance", [ROUND_ROBIN, LEAST_CONNECTIONS])
def test_each_endpoint_in_turn_is_away_and_comes_back(balance: str) -> None:
    with endpoints(3) as ends:
        pace = Pace(first=0.2, longest=0.5)
        client = Client(System("lab", "lab", tuple(one.url for one in ends), balance=balance, pace=pace, guard=LOOPBACK))
        with Load([client]) as load:
            load.more(60)
            for away in ends:
                away.kill()
                eventually(lambda away=away: load.errors or figures_of(client, away).is_open, 60)
                began, failed = time.monotonic(), failures_of(client, away)
                load.more(100)
                tries = failures_of(client, away) - failed
                assert tries <= THREADS + (time.monotonic() - began) / (pace.first * 0.75) + 1, "one try after each pause"
                away.revive()
                came = len(away.taken)
                eventually(lambda away=away, came=came: load.errors or len(away.taken) > came + 5, 60)
                assert not figures_of(client, away).is_open and not load.errors, load.errors[:3]
        total = client.figures()
        assert load.errors == [] and all(one.in_flight == 0 and not one.is_open for one in total)
        assert all(failures_of(client, one) >= LIMIT for one in ends)
        asked, retries = load.answered.total(), sum(one.retries for one in total)
        assert sum(one.requests for one in total) == asked + retries
        assert sum(one.outcomes["2xx"] for one in total) == asked


def test_two_of_three_die_one_after_the_other_and_all_come_back() -> None:
    """The last one carries everything; a second process has learned through Redis which ones to leave alone."""
    with redis_server() as server, endpoints(3) as ends:
        system = System("lab", "lab", tuple(one.url for one in ends), pace=Pace(first=0.3, longest=0.6), guard=LOOPBACK)
        clients = [Client(system), Client(system)]
        for client in clients:
            for endpoint in client.endpoints:
                endpoint.breaker._redis = RedisLink(server.client)
        first, second, last = ends
        with Load(clients) as load:
            load.more(60)
            for away in (first, second):
                away.kill()
                load.more(100)
            for client in clients:  # also the one that has seen fewer failures than it takes
                eventually(lambda client=client: all(figures_of(client, one).is_open for one in (first, second)))
            came = len(last.taken)
            load.more(100)
            assert len(last.taken) >= came + 90
            first.revive()
            second.revive()
            counts = len(first.taken), len(second.taken)
            eventually(lambda: load.errors or (len(first.taken) > counts[0] + 20 and len(second.taken) > counts[1] + 20), 60)
        assert load.errors == []
        failed = [sum(failures_of(client, one) for client in clients) for one in (first, second)]
        assert all(LIMIT <= one < 100 for one in failed), failed
