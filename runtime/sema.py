"""Queues of parked goroutines, and the semaphores made of them: what locks above the runtime are built on.

Mirrors Go src/runtime/sema.go: semaRoot, semacquire1, semrelease1, notifyList. Differs: what is waited for is an object
with a queue of its own, so there is no table keyed by address. And who waits is queued in one step with the last look
at what it waits for (semaRoot.enqueue), where Go counts a waiter first, in the word of the Mutex or WaitGroup, and
queues it later, in the semaphore. Here a wait may be ended by an exception at any moment: of a waiter that was counted
but not queued nobody could tell whether a wake-up meant for it is on its way.

Invariants
  A waiter is in its root's queue exactly while its seq is the root's. Whoever takes it out readies its goroutine, once,
  having set its ticket; or the goroutine leaves by itself (leave), and its ticket stays 0.
  A goroutine whose wait ended by an exception though its ticket is set gives on what the ticket stands for.
  A released permit of a Sema goes straight to the longest waiter; it is counted only if nobody waits.

In a forked child nobody of those who waited exists any more: the first call that looks at a queue empties it (forked).

Locks: a semaRoot guards its own fields and those of its waiters. Every step is one stretch of lines as described in
asm, so that with the GIL none is needed, and a signal handler finds nothing half done. Callers: any thread.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import LOCKS, lock, mutex, unlock
from runtime.gmp import G, WaitLock, sched, waitReasonSemacquire, waitReasonSyncCondWait
from runtime.proc import gopark0, goready, raiseinjected

__all__ = [
    "Sema",
    "cansemacquire",
    "newwaiter",
    "notifyList",
    "notifyListAdd",
    "notifyListCancel",
    "notifyListNotifyAll",
    "notifyListNotifyOne",
    "notifyListWait",
    "semaRoot",
    "semaWaiter",
    "semacquire",
    "semrelease",
]


class semaWaiter(WaitLock):
    """One wait, or several one after the other: a place in root's queue, and what the goroutine parks on (Go's sudog).

    Its own lock is never used.
    """

    __slots__ = ("g", "next", "prev", "root", "seq", "ticket")

    def __init__(self, root: semaRoot) -> None:
        self.g: Any = None
        self.next: Any = None
        self.prev: Any = None
        self.root: Any = root
        self.seq = -1
        self.ticket = 0

    def unlockf(self, gp: G, mode: int) -> bool:
        """Queue, unless what is waited for has come."""
        return self.root.enqueue(self, gp, mode)  # type: ignore[no-any-return]

    def cancelf(self, gp: G, mode: int) -> bool:
        """Leave the queue, unless somebody has taken it out.

        One in a notifyList is queued before it parks: then False, for nobody would ready it, and gopark looks again.
        """
        return self.g is not None and self.root.leave(self)

    def durable(self, bubble: Any) -> bool:
        """Whether only goroutines of this bubble can end the wait."""
        return self.root.durable(bubble)  # type: ignore[no-any-return]


class semaRoot(mutex):
    """A queue of waiters, for a subclass that knows what they wait for.

    enqueue(w, gp, mode) and leave(w) are called by w, as its unlockf and cancelf. mode is the subclass's business.
    """

    __slots__ = ("epoch", "head", "seq", "tail")

    def __init__(self) -> None:
        if LOCKS:
            mutex.__init__(self)
        self.epoch = sched.forkepoch
        self.head: Any = None
        self.tail: Any = None
        self.seq = 0  # one more when the whole queue is taken out at once

    @property
    def waiters(self) -> list[G]:
        """The goroutines in the queue, in its order, as they are at some moment."""
        gs: list[G] = []
        w: Any = self.head
        while w is not None:
            gs.append(w.g)
            w = w.next
        return gs

    def enqueue(self, w: semaWaiter, gp: G, mode: int) -> bool:
        """Queue w at the tail; a subclass returns False instead, its ticket set, if there is nothing to wait for."""
        w.g = gp
        if LOCKS:
            lock(self)
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
        return True

    def leave(self, w: semaWaiter) -> bool:
        """Take w out of the queue; False if somebody else has."""
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
        if LOCKS:
            unlock(self)
        return found

    def durable(self, bubble: Any) -> bool:
        """Whether only goroutines of this bubble can wake those in the queue; a subclass may know better."""
        return False

    def forked(self) -> int:
        """In a forked child, where epoch is no longer sched.forkepoch: forget all who waited."""
        self.epoch = sched.forkepoch
        self.head = None
        self.tail = None
        self.seq += 1
        return 0


def newwaiter(root: semaRoot) -> semaWaiter:
    """semaWaiter(root), at half the price: a park costs only a few times as much."""
    w = semaWaiter.__new__(semaWaiter)
    w.g = None
    w.next = None
    w.prev = None
    w.root = root
    w.seq = -1
    w.ticket = 0
    return w


class Sema(semaRoot):
    """A counting semaphore with FIFO waiters, at 0 to begin with."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        semaRoot.__init__(self)
        self.count = 0

    def enqueue(self, w: semaWaiter, gp: G, mode: int) -> bool:
        """Queue w, unless there is a permit."""
        w.g = gp
        if LOCKS:
            lock(self)
        wait = self.count == 0
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
            self.count -= 1
            w.ticket = 1
        if LOCKS:
            unlock(self)
        return wait


def cansemacquire(s: Sema) -> bool:
    """Take a permit if there is one; whether there was. Source: Go src/runtime/sema.go cansemacquire."""
    if s.epoch != sched.forkepoch:
        s.forked()
    if LOCKS:
        lock(s)
    got = s.count > 0
    if got:
        s.count -= 1
    if LOCKS:
        unlock(s)
    return got


def semacquire(s: Sema, reason: int = waitReasonSemacquire) -> int:
    """Take a permit, waiting for one if need be. An exception raised in the wait leaves the permit with another.

    Source: Go src/runtime/sema.go semacquire1.
    """
    if cansemacquire(s):
        return 0
    w = newwaiter(s)
    if gopark0(w, reason, 0):
        if w.ticket:
            semrelease(s)
        raiseinjected()
    return 0


def semrelease(s: Sema) -> int:
    """Give a permit: to the longest waiter, or else to whoever comes next. From any thread.

    Source: Go src/runtime/sema.go semrelease1.
    """
    if s.epoch != sched.forkepoch:
        s.forked()
    if LOCKS:
        lock(s)
    w = s.head
    if w is None:
        s.count += 1
    else:
        n = w.next
        s.head = n
        if n is None:
            s.tail = None
        else:
            n.prev = None
        w.next = None
        w.seq = -1
        w.ticket = 1
    if LOCKS:
        unlock(s)
    if w is not None:
        goready(w.g)
    return 0


class notifyList(semaRoot):
    """Who waits on a condition variable. They queue before they park, in notifyListAdd: their place is Go's ticket.

    A waiter's ticket is 1 once notifyListNotifyOne has chosen it, 2 once notifyListNotifyAll has.
    """

    __slots__ = ()

    def enqueue(self, w: semaWaiter, gp: G, mode: int) -> bool:
        """Whether w, queued long ago, must still wait."""
        if LOCKS:
            lock(self)
        wait = w.seq == self.seq
        if wait:
            w.g = gp
        if LOCKS:
            unlock(self)
        return wait


def notifyListAdd(l: notifyList) -> semaWaiter:  # noqa: E741
    """Queue, without parking, a wait that begins now; it must end in notifyListWait or notifyListCancel.

    Source: Go src/runtime/sema.go notifyListAdd.
    """
    if l.epoch != sched.forkepoch:
        l.forked()
    w = newwaiter(l)
    if LOCKS:
        lock(l)
    t = l.tail
    if t is None:
        l.head = w
    else:
        t.next = w
    w.prev = t
    l.tail = w
    w.seq = l.seq
    if LOCKS:
        unlock(l)
    return w


def notifyListWait(l: notifyList, w: semaWaiter) -> bool:  # noqa: E741
    """Park until w is notified, which it may have been since notifyListAdd.

    True if the wait was ended by an exception: then w is cancelled, and the caller must call raiseinjected.
    Source: Go src/runtime/sema.go notifyListWait.
    """
    if gopark0(w, waitReasonSyncCondWait, 0):
        notifyListCancel(l, w)
        return True
    return False


def notifyListCancel(l: notifyList, w: semaWaiter) -> int:  # noqa: E741
    """Nobody will act on w: take it out of the list, or give on to another the notification that it has got."""
    if not l.leave(w) and w.ticket == 1:
        notifyListNotifyOne(l)
    return 0


def notifyListNotifyOne(l: notifyList) -> int:  # noqa: E741
    """Notify the longest waiter, if there is any. From any thread. Source: Go src/runtime/sema.go."""
    if l.epoch != sched.forkepoch:
        l.forked()
    gp: Any = None
    if LOCKS:
        lock(l)
    w = l.head
    if w is not None:
        n = w.next
        l.head = n
        if n is None:
            l.tail = None
        else:
            n.prev = None
        w.next = None
        w.seq = -1
        w.ticket = 1
        gp = w.g
    if LOCKS:
        unlock(l)
    if gp is not None:  # otherwise it has not parked yet, and will not
        goready(gp)
    return 0


def notifyListNotifyAll(l: notifyList) -> int:  # noqa: E741
    """Notify all who wait now. From any thread. Source: Go src/runtime/sema.go notifyListNotifyAll."""
    if l.epoch != sched.forkepoch:
        l.forked()
    if LOCKS:
        lock(l)
    w = l.head
    l.head = None
    l.tail = None
    l.seq += 1
    if LOCKS:
        unlock(l)
    while w is not None:
        n = w.next
        w.next = None
        w.prev = None
        w.ticket = 2
        gp = w.g
        if gp is not None:
            goready(gp)
        w = n
    return 0
