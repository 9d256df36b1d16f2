"""The lock of a descriptor: one reader, one writer, and a count of users that holds off its close.

Mirrors Go src/internal/poll/fd_mutex.go, with its bits:

  1 bit   mutexClosed     no operation may begin any more
  1 bit   mutexRLock      the read side is taken
  1 bit   mutexWLock      the write side is taken
  20 bits mutexRef        operations under way, and one for being open
  20 bits mutexRWait      goroutines waiting for the read side
  20 bits mutexWWait      goroutines waiting for the write side

Differs: the word is changed under a lock and not by compare-and-swap, and in place of Go's two semaphores there are
two queues under that lock, so that a goroutine which waits is counted exactly while it is queued: an exception may end
its wait at any moment. In a forked child every holder and waiter is gone: the word is then what it was without them
(see _reset).

Invariants
  mutexRWait counts the goroutines in rqueue, mutexWWait those in wqueue.
  If a side of an open descriptor is free while goroutines are queued for it, another has been taken from the queue
  and not run yet: it tries again, or passes that on if an exception ends its wait (_passon).
The queues are made when somebody first waits, for most descriptors never see that.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from gonet.poll.fd_mutex_bits import (
    mutexClosed,
    mutexRef,
    mutexRefMask,
    mutexRLock,
    mutexRMask,
    mutexRWait,
    mutexWLock,
    mutexWMask,
    mutexWWait,
)
from runtime.asm import lock, unlock
from runtime.gmp import G, WaitLock, sched, waitReasonSemacquire
from runtime.proc import getg, gopark, goready

__all__ = ["fdMutex"]

overflowMsg = "too many concurrent operations on a single file or socket (max 1048575)"


class fdMutex(WaitLock):
    """Serializes reads and writes of one descriptor and keeps it open while they run."""

    __slots__ = ("epoch", "rqueue", "state", "wqueue")

    def __init__(self) -> None:
        WaitLock.__init__(self)
        self.state = 0
        self.epoch = sched.forkepoch
        self.rqueue: Any = None
        self.wqueue: Any = None

    def _reset(self) -> int:
        """In a forked child: drop what the parent's goroutines hold. A close that was under way is complete."""
        self.epoch = sched.forkepoch
        self.state &= mutexClosed
        self.rqueue = None
        self.wqueue = None
        return 0

    def incref(self) -> bool:
        """Add a user; False if closed. Raises: OverflowError."""
        if self.epoch != sched.forkepoch:
            self._reset()
        lock(self)
        if self.state & mutexClosed:
            unlock(self)
            return False
        if self.state & mutexRefMask == mutexRefMask:
            unlock(self)
            raise OverflowError(overflowMsg)
        self.state += mutexRef
        unlock(self)
        return True

    def increfAndClose(self) -> bool:
        """Close, adding a user, and wake all who wait for a side; False if closed before."""
        if self.epoch != sched.forkepoch:
            self._reset()
        lock(self)
        state = self.state
        if state & mutexClosed:
            unlock(self)
            return False
        if state & mutexRefMask == mutexRefMask:
            unlock(self)
            raise OverflowError(overflowMsg)
        self.state = ((state | mutexClosed) + mutexRef) & ~(mutexRMask | mutexWMask)
        readers = self.rqueue
        writers = self.wqueue
        self.rqueue = None
        self.wqueue = None
        unlock(self)
        if readers is not None:
            for gp in readers:
                goready(gp)
        if writers is not None:
            for gp in writers:
                goready(gp)
        return True

    def markclosed(self) -> bool:
        """Close one that nobody uses and nobody can reach any more, without locks; False if closed before."""
        if self.state & mutexClosed:
            return False
        self.state |= mutexClosed
        return True

    def decref(self) -> bool:
        """Take a user away; True if it was the last of a closed descriptor, which the caller must now destroy."""
        lock(self)
        if self.state & mutexRefMask == 0:
            unlock(self)
            raise RuntimeError("inconsistent poll.fdMutex")
        self.state -= mutexRef
        last = self.state & (mutexClosed | mutexRefMask) == mutexClosed
        unlock(self)
        return last

    def rwlock(self, read: bool) -> bool:
        """Add a user that has the read (or write) side to itself, waiting for it if need be; False if closed."""
        bit = mutexRLock if read else mutexWLock
        while True:
            if self.epoch != sched.forkepoch:
                self._reset()
            lock(self)
            state = self.state
            if state & mutexClosed:
                unlock(self)
                return False
            if state & bit == 0:
                if state & mutexRefMask == mutexRefMask:
                    unlock(self)
                    raise OverflowError(overflowMsg)
                self.state = (state | bit) + mutexRef
                unlock(self)
                return True
            unlock(self)
            self._wait(read)

    def _wait(self, read: bool) -> int:
        """Wait until the side is released, unless it has been meanwhile."""
        mask = mutexRMask if read else mutexWMask
        fresh: Any = deque()
        lock(self)
        full = self.state & mask == mask
        if read:
            if self.rqueue is None:
                self.rqueue = fresh
        elif self.wqueue is None:
            self.wqueue = fresh
        unlock(self)
        if full:
            raise OverflowError(overflowMsg)
        gp = getg()
        gp.param = None
        try:
            gopark(self, waitReasonSemacquire, 1 if read else 0)
        except BaseException:
            if gp.param is self:
                gp.param = None
                self._passon(read)
            raise
        gp.param = None
        return 0

    def unlockf(self, gp: G, mode: int) -> bool:
        """Queue gp for the read side (mode 1) or the write side (0), unless it has come free."""
        bit = mutexRLock if mode else mutexWLock
        mask = mutexRMask if mode else mutexWMask
        one = mutexRWait if mode else mutexWWait
        lock(self)
        queue = self.rqueue if mode else self.wqueue
        state = self.state
        wait = state & (bit | mutexClosed) == bit and state & mask != mask and self.epoch == sched.forkepoch
        if wait:
            self.state = state + one  # with no call since it was read: Read and Write change it without the lock
            queue.append(gp)
        unlock(self)
        return wait

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take gp out of its queue, if it is still there."""
        lock(self)
        queue = self.rqueue if mode else self.wqueue
        found = queue is not None and gp in queue
        if found:
            queue.remove(gp)
            self.state -= mutexRWait if mode else mutexWWait
        unlock(self)
        return found

    def _passon(self, read: bool) -> int:
        """A wait ended by an exception after it was over: if the side is still free, another may have it."""
        gp: Any = None
        bit = mutexRLock if read else mutexWLock
        mask = mutexRMask if read else mutexWMask
        lock(self)
        state = self.state
        if state & (bit | mutexClosed) == 0 and state & mask:
            self.state = state - (mutexRWait if read else mutexWWait)
            gp = self.rqueue.popleft() if read else self.wqueue.popleft()
        unlock(self)
        if gp is not None:
            gp.param = self
            goready(gp)
        return 0

    def rwunlock(self, read: bool) -> bool:
        """Release the side and take the user away; True if the caller must now destroy the descriptor."""
        lock(self)
        state = self.state
        if read:
            if state & mutexRLock == 0 or state & mutexRefMask == 0:
                unlock(self)
                raise RuntimeError("inconsistent poll.fdMutex")
            state = (state & ~mutexRLock) - mutexRef
            wake = state & mutexRMask != 0
            if wake:
                state -= mutexRWait
        else:
            if state & mutexWLock == 0 or state & mutexRefMask == 0:
                unlock(self)
                raise RuntimeError("inconsistent poll.fdMutex")
            state = (state & ~mutexWLock) - mutexRef
            wake = state & mutexWMask != 0
            if wake:
                state -= mutexWWait
        self.state = state
        last = state & (mutexClosed | mutexRefMask) == mutexClosed
        gp: Any = None
        if wake:
            gp = self.rqueue.popleft() if read else self.wqueue.popleft()
        unlock(self)
        if gp is not None:
            gp.param = self
            goready(gp)
        return last
