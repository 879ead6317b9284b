"""Endpoints that die, dawdle and refuse, under load: while one lives, nobody notices."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from core.outbound import breakers
from core.outbound.addresses import Guard
from core.outbound.budget import RetryBudget
from core.outbound.client import Client, retry_after
from core.outbound.errors import OutboundTrouble
from core.outbound.systems import LEAST_CONNECTIONS, System
from tests.factories.certificates import own_certificate
from tests.factories.endpoints import Endpoint, Taken, Told, endpoints
from tests.factories.patience import PATIENCE
from tests.factories.ports import free_port

LOOPBACK = Guard.of(["127.0.0.1"])


def client_of(ends: list[Endpoint], **given: Any) -> Client:
    return Client(System("lab", "lab", tuple(one.url for one in ends), guard=LOOPBACK, **given))


def causes(client: Client) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in client.figures():
        found.update(one.outcomes)
    return found


def test_what_is_asked_arrives_and_what_is_answered_comes_back() -> None:
    with endpoints(1) as (end,):
        end.answer = lambda _: Told(201, {"X-Order": "7"}, b'{"order": 7}')
        answer = client_of([end], authorization="Bearer lab").request(
            "POST", "/orders?x=1", json={"test": "FBC"}, idempotency_key="k"
        )
        (taken,) = end.taken
        assert (taken.method, taken.path, taken.body) == ("POST", "/orders?x=1", b'{"test": "FBC"}')
        assert taken.headers["Authorization"] == "Bearer lab" and taken.headers["Idempotency-Key"] == "k"
        assert (answer.status, answer.ok, answer.json(), answer.headers["x-order"]) == (201, True, {"order": 7}, "7")


def test_a_path_can_t_lead_elsewhere() -> None:
    with endpoints(1) as (end,):
        for path in ("//elsewhere.example.org/", "https://elsewhere.example.org/", "@elsewhere.example.org"):
            with pytest.raises(ValueError, match="slash"):
                client_of([end]).request("GET", path)


@pytest.mark.parametrize("balance", ["round_robin", LEAST_CONNECTIONS])
def test_endpoints_killed_one_by_one_under_load(balance: str) -> None:
    """Eight threads ask all the time; three of four endpoints die, one comes back: no error reaches a caller."""
    with endpoints(4) as ends:
        client = client_of(ends, balance=balance)
        stop, errors, answered = threading.Event(), [], Counter[int]()

        def asks(number: int) -> None:
            while not stop.is_set():
                try:
                    if number % 2:
                        client.request("GET", "/a")
                    else:
                        client.request("POST", "/b", json={}, idempotency_key="one")
                except OutboundTrouble as error:
                    errors.append(str(error))
                answered[number] += 1

        def more(count: int) -> None:
            aim = answered.total() + count
            deadline = time.monotonic() + PATIENCE
            while answered.total() < aim:
                assert time.monotonic() < deadline and not errors, errors[:3]
                stop.wait(0.005)

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(asks, number) for number in range(8)]
            try:
                more(100)
                for one in ends[:3]:
                    one.kill()
                    more(100)
                ends[0].revive()
                before = len(ends[0].taken)
                while len(ends[0].taken) == before:  # found again without anybody's doing
                    more(20)
            finally:
                stop.set()
            for one in running:
                one.result(30)
        assert errors == []
        figures = {one.endpoint: one for one in client.figures()}
        assert all(one.in_flight == 0 for one in figures.values())
        dead = figures[f"127.0.0.1:{ends[1].port}"]
        assert dead.is_open and dead.outcomes["no connection"] < 60, "it was left alone"


def test_all_dead_is_said_at_once_and_then_without_trying() -> None:
    client = Client(System("lab", "lab", (f"http://127.0.0.1:{free_port()}",), guard=LOOPBACK, attempts=1))
    for _ in range(breakers.LIMIT):
        with pytest.raises(OutboundTrouble, match="no connection"):
            client.request("GET")
    with pytest.raises(OutboundTrouble, match="circuit open") as refused:
        client.request("GET")
    assert refused.value.certain and refused.value.status == 0 and refused.value.retry_after >= 1
    assert causes(client)["no connection"] == breakers.LIMIT


def test_a_slow_endpoint_is_passed_over() -> None:
    with endpoints(2) as (slow, quick):
        slow.answer = lambda _: Told(hold=True)
        client = client_of([slow, quick], answer_seconds=0.5)
        for _ in range(40):
            assert client.request("GET").ok
        assert causes(client)["no answer in time"] <= breakers.LIMIT + 3  # a try after each pause
        assert len(quick.taken) == 40


def test_fewest_open_requests_goes_round_who_is_busy() -> None:
    with endpoints(2) as (busy, free):
        busy.answer = lambda _: Told(hold=True)
        client = client_of([busy, free], balance=LEAST_CONNECTIONS)
        with ThreadPoolExecutor(1) as pool:
            held = None
            while not busy.taken:
                held = pool.submit(client.request, "GET")
                while not busy.taken and not held.done():
                    time.sleep(0.001)
            before = len(free.taken)
            for _ in range(10):
                client.request("GET")
            assert (len(busy.taken), len(free.taken)) == (1, before + 10)
            busy.let_go.set()
            assert held is not None and held.result(10).ok


def test_a_server_that_drips_is_given_up_at_the_deadline() -> None:
    with endpoints(1) as (end,):
        end.answer = lambda _: Told(drip=0.05)
        began = time.monotonic()
        with pytest.raises(OutboundTrouble, match="no answer in time"):
            client_of([end], attempts=1).request("GET", total_seconds=0.5)
        assert time.monotonic() - began < 30


def test_what_may_have_been_done_is_not_done_twice() -> None:
    """A POST without an idempotency key that got no answer, or a 500, is not sent again; with one it is."""
    with endpoints(2) as ends:
        for one in ends:
            one.answer = lambda _: Told(500)
        with pytest.raises(OutboundTrouble) as trouble:
            client_of(ends).request("POST", json={})
        assert (trouble.value.certain, trouble.value.status) == (False, 500)
        assert sum(len(one.taken) for one in ends) == 1
        with pytest.raises(OutboundTrouble):
            client_of(ends).request("POST", json={}, idempotency_key="k")
        assert sum(len(one.taken) for one in ends) == 1 + 3


def test_what_was_surely_not_sent_goes_to_the_next_endpoint_also_without_a_key() -> None:
    with endpoints(2) as (dead, alive):
        client = client_of([dead, alive])
        dead.kill()
        for _ in range(10):
            assert client.request("POST", json={}).ok
        assert len(alive.taken) == 10


def test_429_and_503_are_left_alone_for_as_long_as_they_ask() -> None:
    with endpoints(2) as (tired, well):
        tired.answer = lambda _: Told(503, {"Retry-After": "120"})
        client = client_of([tired, well])
        for _ in range(10):
            assert client.request("GET").ok
        assert (len(tired.taken), len(well.taken)) == (1, 10)
        well.answer = lambda _: Told(429, {"Retry-After": "60"})
        with pytest.raises(OutboundTrouble) as trouble:
            client.request("GET")
        assert trouble.value.certain and 50 < trouble.value.retry_after <= 60
        with pytest.raises(OutboundTrouble, match="circuit open") as closed:
            client.request("GET")
        assert 50 < closed.value.retry_after <= 60
        assert (len(tired.taken), len(well.taken)) == (1, 11)


def test_a_short_retry_after_is_waited_for() -> None:
    with endpoints(1) as (end,):
        end.answer = lambda _: Told(429, {"Retry-After": "1"}) if len(end.taken) == 1 else Told()
        began = time.monotonic()
        assert client_of([end]).request("GET").ok
        assert time.monotonic() - began >= 1


def test_retry_after_is_read_as_seconds_and_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < retry_after({"Retry-After": later}) <= 90
    assert retry_after({"Retry-After": "17"}) == 17
    for nothing in ("", "soon", "-5", "1.5", "٣", format_datetime(datetime.now(UTC) - timedelta(1), usegmt=True)):
        assert retry_after({"Retry-After": nothing}) == 0


def test_after_a_pause_one_request_alone_tries() -> None:
    """Half open: of many at once one reaches the endpoint; when that is well, all do."""
    with endpoints(1) as (end,):
        client = client_of([end], attempts=1, pace=breakers.Pace(first=0.1))
        end.answer = lambda _: Told(500)
        for _ in range(breakers.LIMIT):
            with pytest.raises(OutboundTrouble, match="HTTP 500"):
                client.request("GET")
        end.taken.clear()
        end.answer = lambda _: Told(hold=True)
        while client.endpoints[0].breaker._local.clock() < client.endpoints[0].breaker._local.until:
            time.sleep(0.01)
        with ThreadPoolExecutor(8) as pool:
            first = pool.submit(client.request, "GET")
            end.wait_for(1)
            others = [pool.submit(client.request, "GET") for _ in range(7)]
            for one in others:
                with pytest.raises(OutboundTrouble, match="circuit open"):
                    one.result(10)
            assert len(end.taken) == 1
            end.let_go.set()
            assert first.result(10).ok
        assert client.request("GET").ok


def test_second_tries_are_a_share_of_the_first_ones() -> None:
    """A system that fails gets little more than was asked of it, however many ask."""
    with endpoints(3) as ends:
        answers = {"n": 0}

        def flaky(_: Taken) -> Told:
            answers["n"] += 1
            return Told(500 if answers["n"] % 3 else 200)  # so that no breaker opens for long

        for one in ends:
            one.answer = flaky
        client = client_of(ends, attempts=5)
        for one in client.endpoints:
            one.breaker.failed = lambda: None  # type: ignore[method-assign]  # the budget alone is looked at
        for _ in range(200):
            try:
                client.request("GET")
            except OutboundTrouble:
                continue
        retries = sum(one.retries for one in client.figures())
        assert sum(len(one.taken) for one in ends) == 200 + retries
        assert 20 < retries <= 10 + 200 * 0.2 + 5


def test_the_budget_fills_with_requests_and_with_time() -> None:
    now = [0.0]
    budget = RetryBudget(lambda: now[0])
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(5):
        budget.earn()
    assert budget.spend() and not budget.spend()
    now[0] += 4
    assert budget.spend() and budget.spend() and not budget.spend()
    now[0] += 1000
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]


def test_an_answer_that_is_too_large_or_packed_is_not_read() -> None:
    with endpoints(1) as (end,):
        end.answer = lambda _: Told(body=b"x" * 5000)
        with pytest.raises(OutboundTrouble, match="too large"):
            client_of([end], most_bytes=4999, attempts=1).request("GET")
        end.answer = lambda _: Told(headers={"Content-Encoding": "gzip"}, body=b"\x1f\x8b")
        with pytest.raises(OutboundTrouble, match="packed"):
            client_of([end], attempts=1).request("GET")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with endpoints(1, own_certificate(tmp_path)) as (end,):
        with pytest.raises(OutboundTrouble, match="certificate refused"):
            client_of([end], attempts=1).request("GET")
        assert end.taken == []


def test_cookies_are_not_kept() -> None:
    with endpoints(1) as (end,):
        end.answer = lambda _: Told(headers={"Set-Cookie": "session=1"})
        client = client_of([end])
        client.request("GET")
        client.request("GET")
        assert "Cookie" not in end.taken[1].headers


def test_connections_are_used_again() -> None:
    with endpoints(1) as (end,):
        client = client_of([end])
        for _ in range(5):
            client.request("GET")
        assert len(end._sockets) == 1


def test_all_endpoints_are_looked_at_at_once() -> None:
    with endpoints(4) as ends:
        for one in ends[:3]:
            one.answer = lambda _: Told(hold=True)
        ends[3].answer = lambda taken: Told(200 if taken.path == "/health" else 500)
        client = client_of(ends, health_path="/health")
        began = time.monotonic()
        found = client.check(seconds=3)
        assert time.monotonic() - began < 8, "one after the other"
        assert [found[f"127.0.0.1:{one.port}"] for one in ends] == ["no answer in time"] * 3 + [""]


def test_a_look_closes_the_breaker() -> None:
    with endpoints(1) as (end,):
        client = client_of([end], attempts=1)
        end.answer = lambda _: Told(503)
        for _ in range(breakers.LIMIT):
            with pytest.raises(OutboundTrouble):
                client.request("GET")
        assert client.figures()[0].is_open
        end.answer = lambda _: Told()
        assert client.check() == {f"127.0.0.1:{end.port}": ""}
        assert client.request("GET").ok
