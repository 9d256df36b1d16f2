"""Semaphores that park goroutines: what locks above the runtime are made of.

Mirrors Go src/runtime/sema.go (semacquire1, semrelease1, with hand-off). Differs: a semaphore is an object with its own
queue, so there is no table keyed by address.

Invariant: a released permit goes straight to the longest waiter, who finds itself in param; it is counted only if
nobody waits. A waiter that is woken by an exception instead has no permit, unless param says so.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from runtime.asm import lock, unlock
from runtime.gmp import G, WaitLock, waitReasonSemacquire
from runtime.proc import getg, gopark, goready

__all__ = ["Sema", "semacquire", "semrelease"]


class Sema(WaitLock):
    """A counting semaphore with FIFO waiters, at 0 to begin with."""

    __slots__ = ("count", "waiters")

    def __init__(self) -> None:
        WaitLock.__init__(self)
        self.count = 0
        self.waiters: Any = deque()

    def unlockf(self, gp: G, mode: int) -> bool:
        """Queue gp, unless a permit has come since."""
        lock(self)
        if self.count > 0:
            self.count -= 1
            unlock(self)
            return False
        self.waiters.append(gp)
        unlock(self)
        return True

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take gp out of the queue, if it is still there."""
        lock(self)
        found = gp in self.waiters
        if found:
            self.waiters.remove(gp)
        unlock(self)
        return found


def semacquire(s: Sema, reason: int = waitReasonSemacquire) -> int:
    """Take a permit, waiting for one if need be. An exception raised in the wait leaves the permit with another."""
    lock(s)
    if s.count > 0:
        s.count -= 1
        unlock(s)
        return 0
    unlock(s)
    gp = getg()
    gp.param = None
    try:
        gopark(s, reason, 0)
    except BaseException:
        if gp.param is s:
            gp.param = None
            semrelease(s)
        raise
    gp.param = None
    return 0


def semrelease(s: Sema) -> int:
    """Give a permit: to the longest waiter, or else to whoever comes next. From any thread."""
    lock(s)
    if s.waiters:
        gp: G = s.waiters.popleft()
        unlock(s)
        gp.param = s
        goready(gp)
        return 0
    s.count += 1
    unlock(s)
    return 0
