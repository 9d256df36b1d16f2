"""RWMutex: many readers, or one writer.

Mirrors Go src/sync/rwmutex.go. readerCount is the number of readers, those that wait for a writer included; while a
writer has announced itself it is less by rwmutexMaxReaders, and who comes to read then waits. readerWait is how many of
the readers before it that writer still waits for. w is held by the writer, waiting or not.

Differs from Go: readers queue in the RWMutex itself, in one step with being counted, and the writer that waits stands
in `writer` (runtime/sema.py tells why). Misuse that Go leaves unnoticed is refused too: RUnlock without a reader while
a writer has it, and Unlock while a writer waits.

Invariants
  readerWait > 0 means that a writer has announced itself and does not have the lock yet.
  The queue holds just those readers that a writer must let go on, in one go, before it unlocks w.

Locks: the RWMutex as a runtime lock guards all its fields but w, which is locked before and unlocked after. RLock and
RUnlock without a writer are one comparison and one assignment. Callers: any goroutine, any thread.
"""

from __future__ import annotations

from typing import Any

from gonet.sync.mutex import Mutex
from runtime.asm import LOCKS, lock, unlock
from runtime.gmp import G, sched, waitReasonSyncRWMutexLock, waitReasonSyncRWMutexRLock
from runtime.nocopy import nocopy
from runtime.panic import Error
from runtime.proc import checkpreempt, gopark0, goready, raiseinjected
from runtime.sema import newwaiter, semaRoot, semaWaiter

__all__ = ["RWMutex", "rlocker"]

rwmutexMaxReaders = 1 << 30

# How a waiter parks.
_READ = 0
_WRITE = 1


class RWMutex(semaRoot):
    """A lock held by any number of readers, or by one writer; a writer that waits holds off new readers.

    So a reader must not lock it again: between the two a writer may have come. `with mu:` is Lock and Unlock,
    `with mu.RLocker():` RLock and RUnlock.  Source: Go src/sync/rwmutex.go RWMutex.
    """

    __slots__ = ("__weakref__", "readerCount", "readerWait", "w", "writer")

    def __init__(self) -> None:
        semaRoot.__init__(self)
        self.readerCount = 0
        self.readerWait = 0
        self.w = Mutex()
        self.writer: Any = None  # its semaWaiter, while it waits for readers

    def RLock(self) -> None:
        """Lock it for reading, waiting for writers that have it or came before. Source: Go src/sync/rwmutex.go."""
        n = self.readerCount
        if LOCKS or n < 0 or sched.preempt:
            self._rlockslow()
        else:
            self.readerCount = n + 1

    def TryRLock(self) -> bool:
        """Lock it for reading if that needs no waiting; whether it did. Source: Go src/sync/rwmutex.go TryRLock."""
        if LOCKS:
            lock(self)
        n = self.readerCount
        free = n >= 0
        if free:
            self.readerCount = n + 1
        if LOCKS:
            unlock(self)
        return free

    def RUnlock(self) -> None:
        """Undo one RLock.

        Raises: runtime.Error, `sync: RUnlock of unlocked RWMutex`.  Source: Go src/sync/rwmutex.go RUnlock.
        """
        n = self.readerCount
        if LOCKS or n <= 0:
            self._runlockslow()
        else:
            self.readerCount = n - 1

    def Lock(self) -> None:
        """Lock it for writing, waiting for all that have it. Source: Go src/sync/rwmutex.go Lock."""
        if self.epoch != sched.forkepoch:
            self.forked()
        self.w.Lock()  # first against other writers
        if LOCKS:
            lock(self)
        n = self.readerCount
        self.readerCount = n - rwmutexMaxReaders
        self.readerWait = n
        if LOCKS:
            unlock(self)
        if n != 0:
            self._awaitreaders()

    def TryLock(self) -> bool:
        """Lock it for writing if that needs no waiting; whether it did. Source: Go src/sync/rwmutex.go TryLock."""
        if self.epoch != sched.forkepoch:
            self.forked()
        if not self.w.TryLock():
            return False
        if LOCKS:
            lock(self)
        free = self.readerCount == 0
        if free:
            self.readerCount = -rwmutexMaxReaders
        if LOCKS:
            unlock(self)
        if not free:
            self.w.Unlock()
        return free

    def Unlock(self) -> None:
        """Unlock it for writing; the readers that wait go first.

        Raises: runtime.Error, `sync: Unlock of unlocked RWMutex`.  Source: Go src/sync/rwmutex.go Unlock.
        """
        if not self._release(False):
            raise Error("sync: Unlock of unlocked RWMutex")

    def RLocker(self) -> rlocker:
        """A Locker whose Lock and Unlock are RLock and RUnlock. Source: Go src/sync/rwmutex.go RLocker."""
        return rlocker(self)

    def __enter__(self) -> RWMutex:
        self.Lock()
        return self

    def __exit__(self, cls: Any, exc: Any, tb: Any) -> None:
        self.Unlock()

    def __reduce__(self) -> Any:
        return nocopy(self)

    def _rlockslow(self) -> int:
        if sched.preempt:
            checkpreempt()
        if self.epoch != sched.forkepoch:
            self.forked()
        if RWMutex.TryRLock(self):
            return 0
        w = newwaiter(self)
        if gopark0(w, waitReasonSyncRWMutexRLock, _READ):
            if w.ticket != 0:
                self._runlockslow()
            raiseinjected()
        return 0

    def _runlockslow(self) -> int:
        """Source: Go src/sync/rwmutex.go rUnlockSlow."""
        if self.epoch != sched.forkepoch:
            self.forked()
        w: Any = None
        if LOCKS:
            lock(self)
        n = self.readerCount
        left = self.readerWait
        held = n > 0 or left > 0
        if held:
            self.readerCount = n - 1
            if n < 0:
                self.readerWait = left - 1
                if left == 1:
                    w = self.writer
                    self.writer = None
                    if w is not None:  # otherwise it has yet to look, or gives up
                        w.ticket = 1
        if LOCKS:
            unlock(self)
        if not held:
            raise Error("sync: RUnlock of unlocked RWMutex")
        if w is not None:
            goready(w.g)
        return 0

    def _awaitreaders(self) -> int:
        """Wait until the readers have gone that came before this writer's announcement."""
        w = newwaiter(self)
        if gopark0(w, waitReasonSyncRWMutexLock, _WRITE):
            self._release(True)  # the lock, or the announcement
            raiseinjected()
        return 0

    def _release(self, early: bool) -> bool:
        """End a writer's turn, early or not: let the readers go on that wait for it, then other writers.

        False if there is no such turn.
        """
        if self.epoch != sched.forkepoch:
            self.forked()
        w: Any = None
        if LOCKS:
            lock(self)
        held = self.readerCount < 0 and (early or self.readerWait == 0)
        if held:
            self.readerCount += rwmutexMaxReaders
            self.readerWait = 0
            w = self.head
            self.head = None
            self.tail = None
            self.seq += 1
        if LOCKS:
            unlock(self)
        if not held:
            return False
        while w is not None:
            n = w.next
            w.next = None
            w.prev = None
            w.ticket = 1
            goready(w.g)
            w = n
        self.w.Unlock()
        return True

    def enqueue(self, w: semaWaiter, gp: G, mode: int) -> bool:
        """Count a reader and queue it if there is a writer; or have a writer wait if there still are readers."""
        w.g = gp
        if LOCKS:
            lock(self)
        if mode == _READ:
            n = self.readerCount
            self.readerCount = n + 1
            wait = n < 0
            if wait:
                t = self.tail
                if t is None:
                    self.head = w
                else:
                    t.next = w
                w.prev = t
                self.tail = w
                w.seq = self.seq
        else:
            wait = self.readerWait > 0
            if wait:
                self.writer = w
        if not wait:
            w.ticket = 1
        if LOCKS:
            unlock(self)
        return wait

    def leave(self, w: semaWaiter) -> bool:
        """Take a reader out of the queue and of the count, or the writer off its wait; False if somebody else has."""
        if LOCKS:
            lock(self)
        found = self.writer is w
        if found:
            self.writer = None
        elif w.seq == self.seq:
            found = True
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
            self.readerCount -= 1
        if LOCKS:
            unlock(self)
        return found

    def forked(self) -> int:
        """In a forked child: those who hold it may be the one that forked, but nobody waits."""
        semaRoot.forked(self)
        if self.writer is not None:  # it waited for readers, holding w
            self.writer = None
            self.readerCount = self.readerWait
            self.readerWait = 0
            self.w = Mutex()
        elif self.readerCount < 0:
            self.readerCount = self.readerWait - rwmutexMaxReaders
        return 0


class rlocker:
    """An RWMutex as readers see it. `with` it is RLock and RUnlock. Source: Go src/sync/rwmutex.go rlocker."""

    __slots__ = ("rw",)

    def __init__(self, rw: RWMutex) -> None:
        self.rw = rw

    def Lock(self) -> None:
        """RLock."""
        self.rw.RLock()

    def Unlock(self) -> None:
        """RUnlock."""
        self.rw.RUnlock()

    def __enter__(self) -> rlocker:
        self.rw.RLock()
        return self

    def __exit__(self, cls: Any, exc: Any, tb: Any) -> None:
        self.rw.RUnlock()

    def __reduce__(self) -> Any:
        return nocopy(self.rw)
