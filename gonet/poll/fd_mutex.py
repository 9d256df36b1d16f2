"""The lock of a descriptor: one reader, one writer, and a count of users that holds off its close.

Mirrors Go src/internal/poll/fd_mutex.go, with its bits:

  1 bit   mutexClosed     no operation may begin any more
  1 bit   mutexRLock      the read side is taken
  1 bit   mutexWLock      the write side is taken
  20 bits mutexRef        operations under way, and one for being open
  20 bits mutexRWait      goroutines waiting for the read side
  20 bits mutexWWait      goroutines waiting for the write side

Differs: the word is changed under a lock and not by compare-and-swap. In a forked child every holder and waiter is
gone: the word is then what it was without them (see _reset).

Invariants: who releases a side subtracts the waiter it wakes, so a woken goroutine is counted nowhere and begins anew.
The semaphores are made when somebody first waits, for most descriptors never see that.
"""

from __future__ import annotations

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
from runtime.asm import lock, mutex, unlock
from runtime.gmp import sched
from runtime.sema import Sema, semacquire, semrelease

__all__ = ["fdMutex"]

overflowMsg = "too many concurrent operations on a single file or socket (max 1048575)"


class fdMutex(mutex):
    """Serializes reads and writes of one descriptor and keeps it open while they run."""

    __slots__ = ("epoch", "rsema", "state", "wsema")

    def __init__(self) -> None:
        mutex.__init__(self)
        self.state = 0
        self.epoch = sched.forkepoch
        self.rsema: Any = None
        self.wsema: Any = None

    def _reset(self) -> int:
        """In a forked child: drop what the parent's goroutines hold. A close that was under way is complete."""
        mutex.__init__(self)
        self.epoch = sched.forkepoch
        self.state &= mutexClosed
        self.rsema = None
        self.wsema = None
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
        readers = (state & mutexRMask) // mutexRWait
        writers = (state & mutexWMask) // mutexWWait
        self.state = ((state | mutexClosed) + mutexRef) & ~(mutexRMask | mutexWMask)
        unlock(self)
        while readers > 0:
            readers -= 1
            semrelease(self.rsema)
        while writers > 0:
            writers -= 1
            semrelease(self.wsema)
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
        if self.epoch != sched.forkepoch:
            self._reset()
        while True:
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
            self._wait(read, bit)

    def _wait(self, read: bool, bit: int) -> int:
        """Wait until the side is released, unless it has been meanwhile."""
        mask = mutexRMask if read else mutexWMask
        one = mutexRWait if read else mutexWWait
        fresh = Sema()
        lock(self)
        state = self.state
        if state & bit == 0 or state & mutexClosed:
            unlock(self)
            return 0
        if state & mask == mask:
            unlock(self)
            raise OverflowError(overflowMsg)
        if read:
            if self.rsema is None:
                self.rsema = fresh
            sema = self.rsema
        else:
            if self.wsema is None:
                self.wsema = fresh
            sema = self.wsema
        self.state = state + one
        unlock(self)
        try:
            semacquire(sema)
        except BaseException:
            self._leave(mask, one, bit, sema)
            raise
        return 0

    def _leave(self, mask: int, one: int, bit: int, sema: Any) -> int:
        """A wait ended by an exception, its permit (if it had one) given back: see that nobody waits for it in vain.

        The counts of waiters and of permits are made to agree: a permit that nobody waits for would let a later
        waiter through uncounted.
        """
        lock(self)
        if sema.count > 0:
            sema.count -= 1  # ours, given back; its sender has uncounted us
        elif self.state & mask:
            self.state -= one
        unlock(self)
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
        unlock(self)
        if wake:
            semrelease(self.rsema if read else self.wsema)
        return last
