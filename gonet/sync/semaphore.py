"""Weighted: a semaphore of which anybody takes as much as is needed, in the order of asking.

Mirrors golang.org/x/sync semaphore. Differs: a Release of more than is held is refused and changes nothing; a negative
amount is a ValueError.

Invariants
  0 <= cur <= size.
  The waiter at the head wants more than is free: whoever makes room, or leaves the queue, sees to it.
  A waiter is granted, with its amount counted in cur, or queued, or has left.

Locks: a Weighted is the mutex of its fields and its queue; channels are closed without it.
Callers: any goroutine, any thread; TryAcquire and Release, a signal handler or finalizer too.
"""

from __future__ import annotations

from operator import index
from typing import Any

from runtime.asm import lock, mutex, unlock
from runtime.chan import Hchan
from runtime.gmp import sched
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.select import selectgo

__all__ = ["NewWeighted", "Weighted"]


class _waiter:
    """One Acquire that waits: for n, until ready is closed."""

    __slots__ = ("granted", "n", "next", "prev", "ready")

    def __init__(self, n: int) -> None:
        self.n = n
        self.ready: Any = Hchan()
        self.granted = False
        self.next: _waiter | None = None
        self.prev: _waiter | None = None


class Weighted(mutex):
    """A semaphore of the given size. Source: golang.org/x/sync/semaphore Weighted."""

    __slots__ = ("__weakref__", "_cur", "_epoch", "_head", "_size", "_tail")

    def __init__(self, n: int) -> None:
        mutex.__init__(self)
        self._epoch = sched.forkepoch
        self._size = _amount(n)
        self._cur = 0
        self._head: _waiter | None = None
        self._tail: _waiter | None = None

    def Acquire(self, ctx: Any, n: int) -> None:
        """Take n, parking until it is there; what comes later waits behind. For more than the size it waits in vain.

        Raises: ctx.Err(), if ctx has ended or ends first; nothing is taken then.
        Source: golang.org/x/sync/semaphore Acquire.
        """
        n = _amount(n)
        done = ctx.Done()
        if _ended(done):
            _raise(ctx)
        if n > self._size:
            selectgo((done,), True)
            _raise(ctx)
        w = _waiter(n)
        if self._enqueue(w):
            return
        try:
            ended = selectgo((w.ready, done), True)[0] == 1 or _ended(done)
        except BaseException:
            self._leave(w)
            raise
        if ended:
            self._leave(w)
            _raise(ctx)

    def TryAcquire(self, n: int) -> bool:
        """Take n if it is there and nobody is waiting; whether it was taken.

        Source: golang.org/x/sync/semaphore TryAcquire.
        """
        n = _amount(n)
        self._lock()
        got = self._head is None and self._size - self._cur >= n
        if got:
            self._cur += n
        unlock(self)
        return got

    def Release(self, n: int) -> None:
        """Give n back.  Raises: runtime.Error, `semaphore: released more than held`.

        Source: golang.org/x/sync/semaphore Release.
        """
        n = _amount(n)
        first: _waiter | None = None
        self._lock()
        good = n <= self._cur
        if good:
            self._cur -= n
            first = self._grant()
        unlock(self)
        if not good:
            raise Error("semaphore: released more than held")
        _wake(first)

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _lock(self) -> None:
        if self._epoch != sched.forkepoch:  # in a forked child nobody waits
            self._epoch = sched.forkepoch
            self._head = None
            self._tail = None
        lock(self)

    def _enqueue(self, w: _waiter) -> bool:
        """Take w.n at once, or queue w; whether it was taken."""
        self._lock()
        got = self._head is None and self._size - self._cur >= w.n
        if got:
            self._cur += w.n
        else:
            w.prev = self._tail
            if self._tail is None:
                self._head = w
            else:
                self._tail.next = w
            self._tail = w
        unlock(self)
        return got

    def _leave(self, w: _waiter) -> None:
        """Give back what w was granted, or take it from the queue."""
        self._lock()
        if w.granted:
            self._cur -= w.n
        else:
            if w.prev is None:
                self._head = w.next
            else:
                w.prev.next = w.next
            if w.next is None:
                self._tail = w.prev
            else:
                w.next.prev = w.prev
        first = self._grant()
        unlock(self)
        _wake(first)

    def _grant(self) -> _waiter | None:
        """Under the lock: give the first waiters what is there. The first of a chain of those that got it.

        Nobody overtakes a waiter that wants more than there is, for else many small ones could starve it.
        Source: golang.org/x/sync/semaphore notifyWaiters.
        """
        first = self._head
        last: _waiter | None = None
        w = first
        while w is not None and self._size - self._cur >= w.n:
            self._cur += w.n
            w.granted = True
            last = w
            w = w.next
        if last is None:
            return None
        last.next = None
        self._head = w
        if w is None:
            self._tail = None
        else:
            w.prev = None
        return first


def _wake(w: _waiter | None) -> None:
    while w is not None:
        after, w.next, w.prev = w.next, None, None
        w.ready.close()
        w = after


def _ended(done: Any) -> bool:
    return done is not None and selectgo((done,), False)[0] == 0


def _raise(ctx: Any) -> None:
    raise ctx.Err().with_traceback(None)  # it is the same instance every time: tracebacks would add up


def _amount(n: int) -> int:
    n = index(n)
    if n < 0:
        raise ValueError("semaphore: negative amount")
    return n


def NewWeighted(n: int) -> Weighted:
    """A Weighted of size n. Source: golang.org/x/sync/semaphore NewWeighted."""
    return Weighted(n)
