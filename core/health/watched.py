"""Asking something that may never answer: in a thread of its own, once at a time, for all who want to know."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db import connections

FAILURE_KEPT = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Answer[T]:
    """`value` is None when there was none in time, or when asking failed: then `trouble` says so. `seconds` that it took."""

    value: T | None
    trouble: str
    seconds: float
    at: float  # time.monotonic() when it came


class Watched[T]:
    """`limit`: seconds that whoever wants to know waits at most. `kept`: seconds for which an answer holds; that asking failed
    holds for a second at most.

    While a question has not been answered no other is asked: a dependency that stalls costs one thread.
    """

    def __init__(self, name: str, ask: Callable[[], T], *, limit: float, kept: float) -> None:
        self.name, self.limit, self.kept = name, limit, kept
        self._ask = ask
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._answer: Answer[T] | None = None
        self._under_way: threading.Event | None = None

    def begin(self) -> None:
        """Ask, unless the last answer still holds or somebody has asked already."""
        with self._lock:
            answer = self._answer
            if self._under_way is not None or (answer is not None and self._holds(answer)):
                return
            self._under_way, self._asked = threading.Event(), time.monotonic()
            try:
                threading.Thread(target=self._run, args=(self._under_way,), name=f"hms-look-{self.name}", daemon=True).start()
            except RuntimeError:  # no thread to be had: nobody would ask any more
                self._under_way = None
                raise

    def answer(self) -> Answer[T]:
        """The answer that `begin` asked for, or that there was none within the limit."""
        under_way, asked = self._under_way, self._asked
        left = asked + self.limit - time.monotonic()
        if under_way is not None and not under_way.wait(max(0.0, left)):
            now = time.monotonic()
            return Answer(None, f"no answer within {self.limit:g} s", now - asked, now)
        assert self._answer is not None  # noqa: S101  (begin() comes first)
        return self._answer

    def _holds(self, answer: Answer[T]) -> bool:
        kept = min(self.kept, FAILURE_KEPT) if answer.trouble else self.kept
        return time.monotonic() - answer.at < kept

    def _run(self, done: threading.Event) -> None:
        began = time.monotonic()
        value, trouble = None, ""
        try:
            value = self._ask()
        except Exception as error:  # a boundary: whatever a dependency raises is its trouble; the text may quote a password
            trouble = type(error.__cause__ or error).__name__
        finally:
            connections.close_all()
            now = time.monotonic()
            with self._lock:
                self._answer, self._under_way = Answer(value, trouble, now - began, now), None
            done.set()


def ask_all[T](questions: Iterable[Watched[T]]) -> list[Answer[T]]:
    """All at the same time: as long as the slowest takes, or its limit."""
    asked = list(questions)
    for one in asked:
        one.begin()
    return [one.answer() for one in asked]
