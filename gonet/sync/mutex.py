"""Mutex: mutual exclusion, with Go's normal and starvation modes.

Mirrors Go src/internal/sync/mutex.go, whose word it has:

  mutexLocked      it is held
  mutexWoken       a goroutine that was woken has not tried again yet: nobody need be woken
  mutexStarving    it is handed from holder to waiter, and newcomers queue
  the rest         how many are queued, in units of 1 << mutexWaiterShift

Normal mode: Unlock lets the mutex go and wakes the longest waiter, which competes with those that run already, and
queues at the front again if it loses. One that has waited for more than 1 ms (and lost) turns starvation mode on: from
then on Unlock leaves the mutex locked, gives it to the waiter at the front and lets that one run. Who is given it and
waited for less than 1 ms, or is the last in the queue, turns the mode off.

Differs from Go: the queue is in the mutex and changes together with the word (see runtime/sema.py), so in starvation
mode mutexLocked stays set while the mutex changes hands, and a waiter that an exception has ended is counted no more.
Nobody spins: on one P, and under the GIL, the holder cannot run meanwhile. Under GODEBUG=schedseed a coin tells whether
a wait was long, for the clock must not.

Invariants
  The word counts the waiters in the queue. While mutexStarving is set, so is mutexLocked.
  mutexWoken is set exactly while one goroutine has the ticket WOKEN and has not yet looked at the word again.

Locks: the mutex as a runtime lock guards all its fields. Lock and Unlock of a free one are one comparison and one
assignment; sched.preempt is looked at so that a loop that does nothing but lock and unlock gives way once its slice is
spent. Callers: any goroutine, any thread; TryLock and Unlock, a signal handler or finalizer too.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import LOCKS, lock, unlock
from runtime.gmp import G, sched, waitReasonSyncMutexLock
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.proc import checkpreempt, gopark0, goready, goyield, raiseinjected
from runtime.rand import cheaprandn
from runtime.rawsys import nanotime
from runtime.sema import newwaiter, semaRoot, semaWaiter

__all__ = ["Mutex"]

mutexLocked = 1
mutexWoken = 2
mutexStarving = 4
mutexWaiterShift = 3
_WAITER = 1 << mutexWaiterShift

starvationThresholdNs = 1_000_000  # Go's

# A waiter's ticket.
_WOKEN = 1  # it may try again
_GIVEN = 2  # it was given the mutex
_TOOK = 3  # it took the mutex when it was about to queue

# How it parks.
_AGAIN = 1  # it was woken before: to the front
_STARVING = 2  # and has waited for too long


class Mutex(semaRoot):
    """A lock that is free to begin with. `with mu:` is Lock and Unlock. Source: Go src/sync/mutex.go Mutex."""

    __slots__ = ("__weakref__", "state")

    def __init__(self) -> None:
        semaRoot.__init__(self)
        self.state = 0

    def Lock(self) -> None:
        """Lock it, waiting until it is free. An exception raised in the wait leaves it to the others.

        Source: Go src/internal/sync/mutex.go Lock.
        """
        state = self.state
        if LOCKS or state != 0 or sched.preempt:
            self._lockslow()
        else:
            self.state = state + mutexLocked

    def TryLock(self) -> bool:
        """Lock it if that needs no waiting; whether it did. Source: Go src/internal/sync/mutex.go TryLock."""
        if LOCKS:
            lock(self)
        state = self.state
        free = state & (mutexLocked | mutexStarving) == 0
        if free:
            self.state = state | mutexLocked
        if LOCKS:
            unlock(self)
        return free

    def Unlock(self) -> None:
        """Unlock it, whoever has locked it.

        Raises: runtime.Error, `sync: unlock of unlocked mutex`.  Source: Go src/internal/sync/mutex.go Unlock.
        """
        state = self.state
        if LOCKS or state != mutexLocked:
            self._unlockslow()
        else:
            self.state = state - mutexLocked

    def __enter__(self) -> Mutex:
        state = self.state
        if LOCKS or state != 0 or sched.preempt:
            self._lockslow()
        else:
            self.state = state + mutexLocked
        return self

    def __exit__(self, cls: Any, exc: Any, tb: Any) -> None:
        state = self.state
        if LOCKS or state != mutexLocked:
            self._unlockslow()
        else:
            self.state = state - mutexLocked

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _lockslow(self) -> None:
        """Source: Go src/internal/sync/mutex.go lockSlow."""
        if sched.preempt:
            checkpreempt()
        if self.epoch != sched.forkepoch:
            self.forked()
        if Mutex.TryLock(self):
            return
        w = newwaiter(self)
        start = nanotime()
        mode = 0
        while not gopark0(w, waitReasonSyncMutexLock, mode):
            if w.ticket == _TOOK:
                return
            late = cheaprandn(2) == 0 if sched.seeded else nanotime() - start > starvationThresholdNs
            if w.ticket == _GIVEN:
                if LOCKS:
                    lock(self)
                if not late or self.head is None:
                    self.state &= ~mutexStarving
                if LOCKS:
                    unlock(self)
                return
            mode = _AGAIN | _STARVING if late else _AGAIN
        if w.ticket == _WOKEN:
            self._wakenext()
        elif w.ticket != 0:
            self._unlockslow()
        raiseinjected()

    def enqueue(self, w: semaWaiter, gp: G, mode: int) -> bool:
        """Queue w, or take the mutex for it if it is free; a look at the word ends a wake-up in any case."""
        w.g = gp
        if LOCKS:
            lock(self)
        state = self.state
        if mode != 0:
            state &= ~mutexWoken
        wait = state & (mutexLocked | mutexStarving) != 0
        if wait:
            state += _WAITER
            if mode == 0:
                t = self.tail
                if t is None:
                    self.head = w
                else:
                    t.next = w
                w.prev = t
                self.tail = w
            else:
                n = self.head
                if n is None:
                    self.tail = w
                else:
                    n.prev = w
                w.next = n
                self.head = w
                if mode & _STARVING:
                    state |= mutexStarving
            w.seq = self.seq
            w.ticket = 0
        else:
            state |= mutexLocked
            w.ticket = _TOOK
        self.state = state
        if LOCKS:
            unlock(self)
        return wait

    def leave(self, w: semaWaiter) -> bool:
        """Take w out of the queue and of the count; False if somebody else has."""
        if LOCKS:
            lock(self)
        found = w.seq == self.seq
        if found:
            p = w.prev
            n = w.next
            if p is None:
                self.head = n
            else:
                p.next = n
            if n is None:
                self.tail = p
            else:
                n.prev = p
            w.prev = None
            w.next = None
            w.seq = -1
            self.state -= _WAITER
        if LOCKS:
            unlock(self)
        return found

    def _unlockslow(self) -> int:
        """Source: Go src/internal/sync/mutex.go unlockSlow."""
        if self.epoch != sched.forkepoch:
            self.forked()
        if LOCKS:
            lock(self)
        state = self.state
        held = state & mutexLocked != 0
        w = self.head
        give = held and w is not None and state & mutexStarving != 0
        if not give:
            if held:
                state &= ~(mutexLocked | mutexStarving)
            if not held or state & mutexWoken:
                w = None
        if w is not None:
            n = w.next
            self.head = n
            if n is None:
                self.tail = None
            else:
                n.prev = None
            w.next = None
            w.seq = -1
            state -= _WAITER
            if give:
                w.ticket = _GIVEN
            else:
                w.ticket = _WOKEN
                state |= mutexWoken
        self.state = state
        if LOCKS:
            unlock(self)
        if not held:
            raise Error("sync: unlock of unlocked mutex")
        if w is not None:
            goready(w.g)
            if give:
                goyield()  # it has waited long enough
        return 0

    def _wakenext(self) -> int:
        """An exception has ended the wait of one that was woken: if the mutex is free, another may try."""
        if LOCKS:
            lock(self)
        state = self.state & ~mutexWoken
        w = self.head
        if state & mutexLocked:
            w = None
        if w is not None:
            n = w.next
            self.head = n
            if n is None:
                self.tail = None
            else:
                n.prev = None
            w.next = None
            w.seq = -1
            w.ticket = _WOKEN
            state = (state - _WAITER) | mutexWoken
        self.state = state
        if LOCKS:
            unlock(self)
        if w is not None:
            goready(w.g)
        return 0

    def forked(self) -> int:
        """In a forked child: whoever holds it may be the one that forked, but nobody waits."""
        semaRoot.forked(self)
        self.state &= mutexLocked
        return 0
