"""mailbox: one goroutine waits for the first of several things that others do, or for an instant.

Stands for the channels and selects of Go src/net/dial.go (dialParallel) and cgo_unix.go (doBlockingWithCtx). Differs:
nothing blocks a sender, and what comes when nobody waits any more is handed to a function instead.

Invariants
  Everything posted is returned by wait or given to drop, once: post appends before it looks at `closed`, close sets
  `closed` before it empties the queue, and deque.popleft gives an item to one of them.
Callers: wait and close, one goroutine; post, any goroutine or thread, and timers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from runtime.sema import Sema, semacquire, semrelease
from runtime.time import modify, newtimer, stop
from runtime.timesleep import instant

__all__ = ["mailbox"]


class mailbox:
    """A queue with one reader. drop(x) is called with what is still there, or comes, once it is closed."""

    __slots__ = ("_closed", "_drop", "_queue", "_sema", "_timer")

    def __init__(self, drop: Callable[[Any], object] | None = None) -> None:
        self._queue: deque[Any] = deque()
        self._sema = Sema()
        self._closed = False
        self._drop = drop
        self._timer: Any = None

    def post(self, x: Any) -> None:
        """Add x and wake the reader."""
        self._queue.append(x)
        if self._closed:
            self._drain()
        else:
            semrelease(self._sema)

    def wait(self) -> Any:
        """Park until there is something, and take it."""
        semacquire(self._sema)
        return self._queue.popleft()

    def alarm(self, seconds: float) -> None:
        """Post None in so many seconds; one alarm a mailbox."""
        self._timer = newtimer(_ring, self)
        modify(self._timer, instant(max(seconds, 0.0)), 0, self, 0)

    def close(self) -> None:
        """Nobody will wait any more."""
        self._closed = True
        if self._timer is not None:
            stop(self._timer)
        self._drain()

    def _drain(self) -> None:
        while True:
            try:
                x = self._queue.popleft()
            except IndexError:
                return
            if self._drop is not None:
                self._drop(x)


def _ring(box: mailbox, seq: int, delta: int) -> None:
    box.post(None)
