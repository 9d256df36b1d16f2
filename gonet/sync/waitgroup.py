"""WaitGroup: waiting until a number of things are done.

Mirrors Go src/sync/waitgroup.go. Differs: the count and the queue of those who wait change in one step, so the race
that Go reports as `Add called concurrently with Wait` cannot arise; other misuse is refused in Go's words, and a count
that would become negative stays as it was. A function that was started by Go and raises an exception is done, for it
ends its goroutine and not the program.

Locks: the WaitGroup as a runtime lock guards all its fields. Add and Done, unless the count reaches zero, are one
comparison and one assignment. Callers: any goroutine, any thread; Add, Done and Go, a signal handler or finalizer too.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from runtime.asm import LOCKS, lock, unlock
from runtime.gmp import G, sched, waitReasonSyncWaitGroupWait
from runtime.newproc import newproc
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.proc import gopark0, goready, raiseinjected
from runtime.sema import newwaiter, semaRoot, semaWaiter
from runtime.time import curbubble

__all__ = ["WaitGroup"]

_MAX = 0x7FFFFFFF  # Go's counter has 32 bits


class WaitGroup(semaRoot):
    """Counts what is under way, from 0; Wait returns when nothing is. Source: Go src/sync/waitgroup.go WaitGroup."""

    __slots__ = ("__weakref__", "bubble", "n")

    def __init__(self) -> None:
        semaRoot.__init__(self)
        self.n = 0
        self.bubble: Any = None  # in which the count left 0 (see runtime/synctest.py)

    def Add(self, delta: int) -> None:
        """Add delta, which may be negative, to the count; who waits goes on when it becomes 0.

        Raises: runtime.Error, `sync: negative WaitGroup counter`; TypeError.  Source: Go src/sync/waitgroup.go Add.
        """
        if type(delta) is not int:
            delta = index(delta)
        d = delta
        if sched.bubbles > 0:
            self._associate(d)
        n = self.n
        if LOCKS or d < 0 or d > _MAX - n:
            self._addslow(d)
        else:
            self.n = n + d

    def Done(self) -> None:
        """Subtract one from the count. Raises: as Add. Source: Go src/sync/waitgroup.go Done."""
        n = self.n
        if LOCKS or n <= 1:
            self._addslow(-1)
        else:
            self.n = n - 1

    def Wait(self) -> None:
        """Park until the count is 0.

        Raises: runtime.Error, `sync: WaitGroup is reused before previous Wait has returned`, if it is not any more.
        Source: Go src/sync/waitgroup.go Wait.
        """
        if self.n != 0:
            self._waitslow()

    def Go(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Call f(*args, **kwargs) in a new goroutine, counted until f has returned, raised or called Goexit.

        Raises: TypeError, if f is not callable.  Source: Go src/sync/waitgroup.go Go.
        """
        if not callable(f):
            raise TypeError(f"WaitGroup.Go: {type(f).__name__!r} object is not callable")
        self.Add(1)
        try:
            newproc(_run, (self, f, args, kwargs), None)
        except BaseException:
            self.Done()
            raise

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _associate(self, d: int) -> None:
        """Add, while there are bubbles: its own goroutines alone may add to what a bubble has begun to count.

        Source: Go src/sync/waitgroup.go Add.
        """
        bubble = curbubble()
        if self.n == 0:
            self.bubble = bubble
        elif d > 0 and bubble is not self.bubble:
            if bubble is None or self.bubble is None:
                raise Error("sync: WaitGroup.Add called from inside and outside synctest bubble")
            raise Error("sync: WaitGroup.Add called from multiple synctest bubbles")

    def durable(self, bubble: Any) -> bool:
        """Whether the count is the bubble's."""
        return self.bubble is bubble

    def _addslow(self, d: int) -> int:
        if self.epoch != sched.forkepoch:
            self.forked()
        w: Any = None
        if LOCKS:
            lock(self)
        n = self.n + d
        good = 0 <= n <= _MAX
        if good:
            self.n = n
            if n == 0:
                w = self.head
                self.head = None
                self.tail = None
                self.seq += 1
        if LOCKS:
            unlock(self)
        if not good:
            raise Error("sync: negative WaitGroup counter")
        while w is not None:
            after = w.next
            w.next = None
            w.prev = None
            w.ticket = 1
            goready(w.g)
            w = after
        return 0

    def _waitslow(self) -> int:
        if self.epoch != sched.forkepoch:
            self.forked()
        w = newwaiter(self)
        if gopark0(w, waitReasonSyncWaitGroupWait, 0):
            raiseinjected()
        if w.ticket != 0 and self.n != 0:
            raise Error("sync: WaitGroup is reused before previous Wait has returned")
        return 0

    def enqueue(self, w: semaWaiter, gp: G, mode: int) -> bool:
        """Queue w, unless the count is 0."""
        w.g = gp
        if LOCKS:
            lock(self)
        wait = self.n != 0
        if wait:
            t = self.tail
            if t is None:
                self.head = w
            else:
                t.next = w
            w.prev = t
            self.tail = w
            w.seq = self.seq
        if LOCKS:
            unlock(self)
        return wait


def _run(wg: WaitGroup, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """The body of a goroutine started by Go. An exception goes on to the panic hook."""
    try:
        f(*args, **kwargs)
    finally:
        wg.Done()
