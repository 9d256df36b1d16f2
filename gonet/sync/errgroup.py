"""Group: goroutines that work at parts of one task, of which the first to fail ends the others.

Mirrors golang.org/x/sync errgroup. Differs: what fails raises. An Exception is kept for Wait; SystemExit and its like
go the way they go in any goroutine, and Goexit counts as done.

Callers: any goroutine, any thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import index
from typing import Any

from gonet import context
from gonet.sync.once import Once
from gonet.sync.waitgroup import WaitGroup
from runtime.gmp import sched, waitReasonChanSend
from runtime.newproc import newproc
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.sema import Sema, cansemacquire, semacquire, semrelease
from runtime.time import curbubble

__all__ = ["Group", "WithContext"]


class _places(Sema):
    """For how many goroutines there is room. Go's is a channel of values without a size, which costs no memory."""

    __slots__ = ("bubble",)

    def __init__(self, n: int) -> None:
        Sema.__init__(self)
        self.count = min(n, sys.maxsize)
        self.bubble: Any = curbubble() if sched.bubbles > 0 else None  # in which it was made

    def durable(self, bubble: Any) -> bool:
        """As of a channel: whether it is the bubble's."""
        return self.bubble is bubble


class Group:
    """Goroutines with a common end. Source: golang.org/x/sync/errgroup Group.

    One made without WithContext has no limit, and an error in it ends nothing.
    """

    __slots__ = ("__weakref__", "_cancel", "_err", "_once", "_sem", "_tb", "_wg")

    def __init__(self) -> None:
        self._cancel: Callable[[BaseException | None], None] | None = None
        self._err: Exception | None = None
        self._tb: Any = None  # _err's traceback as it was in the goroutine
        self._once = Once()
        self._sem: Any = None  # the _places; None if there is no limit
        self._wg = WaitGroup()

    def Go(self, f: Callable[[], object]) -> None:
        """Call f in a new goroutine; at the limit, park until there is room for one more.

        The first exception of any f ends the group's context, if it has one, and is raised by Wait.
        Raises: TypeError, if f is not callable.  Source: golang.org/x/sync/errgroup Go.
        """
        _check(f, "Go")
        sem = self._sem
        if sem is not None:
            semacquire(sem, waitReasonChanSend)  # as Go's dump has it
        self._start(f, sem)

    def TryGo(self, f: Callable[[], object]) -> bool:
        """Go, unless the group is at its limit; whether f was started. Source: golang.org/x/sync/errgroup TryGo."""
        _check(f, "TryGo")
        sem = self._sem
        if sem is not None and not cansemacquire(sem):
            return False
        self._start(f, sem)
        return True

    def SetLimit(self, n: int) -> None:
        """At most n goroutines at a time from now on; a negative n is no limit, 0 lets nobody in.

        Raises: runtime.Error, `errgroup: modify limit while N goroutines in the group are still active`.
        Source: golang.org/x/sync/errgroup SetLimit.
        """
        n = index(n)
        active = self._wg.n
        if active:
            raise Error(f"errgroup: modify limit while {active} goroutines in the group are still active")
        self._sem = None if n < 0 else _places(n)

    def Wait(self) -> None:
        """Park until all have ended, end the group's context, and raise the first exception if there was one.

        Source: golang.org/x/sync/errgroup Wait.
        """
        self._wg.Wait()
        if self._cancel is not None:
            self._cancel(self._err)
        err = self._err
        if err is not None:
            try:
                raise err.with_traceback(self._tb)  # as it was: the tracebacks of several Waits would add up
            finally:
                del err

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _start(self, f: Any, sem: Any) -> None:
        try:
            self._wg.Add(1)
        except BaseException:  # inside a bubble that has not made it
            if sem is not None:
                semrelease(sem)
            raise
        try:
            newproc(_run, (self, f, sem), None)
        except BaseException:
            self._done(sem)
            raise

    def _done(self, sem: Any) -> None:
        if sem is not None:
            semrelease(sem)
        self._wg.Done()

    def _fail(self, err: Exception) -> None:
        def first() -> None:
            self._tb = err.__traceback__
            self._err = err
            if self._cancel is not None:
                self._cancel(err)

        self._once.Do(first)


def _run(g: Group, f: Any, sem: Any) -> None:
    try:
        try:
            f()
        except Exception as err:
            g._fail(err)
    finally:
        g._done(sem)


def _check(f: Any, what: str) -> None:
    if not callable(f):
        raise TypeError(f"Group.{what}: {type(f).__name__!r} object is not callable")


def WithContext(ctx: Any) -> tuple[Group, context.Context]:
    """(group, its context): a child of ctx that ends at the first exception, its Cause, or at the end of Wait.

    Source: golang.org/x/sync/errgroup WithContext.
    """
    child, cancel = context.WithCancelCause(ctx)
    g = Group()
    g._cancel = cancel
    return g, child
