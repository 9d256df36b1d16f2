"""Channels.

Mirrors Go src/runtime/chan.go, with sudog and waitq from runtime2.go and the channel's part of select.go. Differs: a
park is committed in one step with a last look at the channel (Sudog.unlockf), in place of a lock held from the first
look to the park. A goroutine may be woken by an exception (inject): it then takes its sudog out of the queue, but if
its value has been handed over already, the operation has taken place and the exception waits for the next park.

Invariants
  A waiting receiver means an empty buffer and no waiting sender, a waiting sender a full buffer and no waiting
  receiver; but for a select that waits on both sides of one channel, and for stale sudogs.
  A sudog is in a queue exactly while its state is sudogQueued. Whoever takes it out sets its state, and if that is
  sudogDone or sudogClosed, readies its goroutine, once.
  A sudog is stale when its select has been decided (selectDone.done). It is dropped by whoever comes across it, or
  else by its goroutine. In one queue a select has one sudog at most.
  No slot of the buffer outside the queued values, and no sudog that is not waiting, holds a value.

Locks: an Hchan guards its fields and the sudogs in its queues; a selectDone may be taken after it. Every step on a
channel is one stretch of lines as described in asm, so that with the GIL none is needed, and a signal handler finds
no channel half changed. What needs a second look at the queue is a loop around the stretch.
Callers: any goroutine, any thread, signal handlers. A finalizer may send, receive or close if that does not block.
"""

from __future__ import annotations

import sys
from operator import index
from types import GenericAlias
from typing import Any

from runtime.asm import LOCKS, lock, mutex, unlock
from runtime.gmp import (
    G,
    WaitLock,
    chanBlocks,
    chanClosed,
    sched,
    selectRecv,
    selectSend,
    sudogClosed,
    sudogDone,
    sudogIdle,
    sudogQueued,
    waitReasonChanReceive,
    waitReasonChanSend,
)
from runtime.panic import Error
from runtime.proc import checkpreempt, gopark0, goready, raiseinjected
from runtime.time import curbubble

__all__ = [
    "Hchan",
    "Sudog",
    "acquireSudog",
    "afterfork",
    "chanrecv",
    "chansend",
    "checkbubble",
    "closechan",
    "dequeueSudoG",
    "releaseSudog",
    "selectDone",
    "selectnbrecv",
    "selectnbsend",
    "timerchandrain",
]

_maxcap = sys.maxsize // 16
_CACHED = 1024  # spare sudogs that are kept


class selectDone(WaitLock):
    """Whether a select has been decided, and by which of its sudogs: Go's g.selectDone. Its lock guards both."""

    __slots__ = ("done", "won")

    def __init__(self) -> None:
        if LOCKS:
            WaitLock.__init__(self)
        self.done = False
        self.won: Any = None  # None though done: its goroutine, or an exception, has taken it out of the race


class Sudog(WaitLock):
    """A goroutine in the queue of a channel, or about to be. Its own lock is not used: the channel's guards it."""

    __slots__ = ("c", "elem", "g", "index", "mode", "next", "prev", "sel", "state")

    def __init__(self) -> None:
        self.c: Any = None  # Hchan
        self.g: Any = None
        self.elem: Any = None  # the value: a sender's until it is taken, a receiver's from then on
        self.mode = 0  # selectSend or selectRecv
        self.state = sudogIdle
        self.next: Any = None
        self.prev: Any = None
        self.sel: Any = None  # selectDone, if it belongs to a select,
        self.index = 0  # and to which of its cases

    def unlockf(self, gp: G, mode: int) -> bool:
        """Wait at the end of the queue; False, and nothing done, if the operation may be possible right now.

        A stale sudog may be mistaken for a partner; then the caller, trying again, drops it. The other side of the
        same select is no partner.  Source: Go src/runtime/chan.go waitq.enqueue.
        """
        c: Hchan = self.c
        self.g = gp
        if LOCKS:
            lock(c)
        if self.mode == selectSend:
            other = c.recvfirst
            wait = not c.closed and c.qcount == c.dataqsiz
            if other is not None and (other.sel is None or other.sel is not self.sel or other is not c.recvlast):
                wait = False
            if wait:
                last = c.sendlast
                if last is None:
                    c.sendfirst = self
                else:
                    last.next = self
                    self.prev = last
                c.sendlast = self
                self.state = sudogQueued
                c.version += 1
        else:
            other = c.sendfirst
            wait = not c.closed and c.qcount == 0
            if other is not None and (other.sel is None or other.sel is not self.sel or other is not c.sendlast):
                wait = False
            if wait:
                last = c.recvlast
                if last is None:
                    c.recvfirst = self
                else:
                    last.next = self
                    self.prev = last
                c.recvlast = self
                self.state = sudogQueued
                c.version += 1
        if LOCKS:
            unlock(c)
        return wait

    def cancelf(self, gp: G, mode: int) -> bool:
        """Leave the queue, if nobody else has taken it out."""
        return dequeueSudoG(self, gp)

    def durable(self, bubble: Any) -> bool:
        """Whether the channel is the bubble's own."""
        return self.c.bubble is bubble


class sudogcache(mutex):
    """Spare sudogs, with nothing in them. Source: Go src/runtime/proc.go acquireSudog, releaseSudog: p.sudogcache."""

    __slots__ = ("first", "n")

    def __init__(self) -> None:
        if LOCKS:
            mutex.__init__(self)
        self.first: Any = None
        self.n = 0


_cache = sudogcache()


def acquireSudog(c: Hchan, mode: int) -> Sudog:
    """A sudog for an operation on c."""
    if LOCKS:
        lock(_cache)
    sg = _cache.first
    if sg is not None:
        _cache.first = sg.next
        _cache.n -= 1
    if LOCKS:
        unlock(_cache)
    if sg is None:
        sg = Sudog()
    else:
        sg.next = None
    sg.c = c
    sg.mode = mode
    return sg  # type: ignore[no-any-return]


def releaseSudog(sg: Sudog) -> int:
    """Keep sg, which is in no queue, for somebody else, with nothing in it."""
    sg.g = None
    sg.c = None
    sg.elem = None
    sg.state = sudogIdle
    if LOCKS:
        lock(_cache)
    if _cache.n < _CACHED:
        sg.next = _cache.first
        _cache.first = sg
        _cache.n += 1
    if LOCKS:
        unlock(_cache)
    return 0


def dequeueSudoG(sg: Sudog, gp: G) -> bool:
    """Take sg out of its queue; False if it is in none, or is not gp's any more.

    Source: Go src/runtime/chan.go waitq.dequeueSudoG.
    """
    c: Any = sg.c
    if c is None:
        return False
    if LOCKS:
        lock(c)
    found = sg.state == sudogQueued and sg.g is gp and sg.c is c
    if found:
        before = sg.prev
        after = sg.next
        if before is not None:
            before.next = after
        elif sg.mode == selectSend:
            c.sendfirst = after
        else:
            c.recvfirst = after
        if after is not None:
            after.prev = before
        elif sg.mode == selectSend:
            c.sendlast = before
        else:
            c.recvlast = before
        sg.next = None
        sg.prev = None
        sg.state = sudogIdle
    if LOCKS:
        unlock(c)
    return found


def selectnbsend(c: Hchan, v: Any) -> bool:
    """Send v if that needs no waiting; whether it did.  Raises: Error, `send on closed channel`.

    Source: Go src/runtime/chan.go selectnbsend, chansend, send.
    """
    while True:
        sent = False
        stale = False
        gp: Any = None
        if LOCKS:
            lock(c)
        closed = c.closed
        if not closed:
            sg = c.recvfirst
            if sg is not None:
                after = sg.next
                c.recvfirst = after
                if after is None:
                    c.recvlast = None
                else:
                    after.prev = None
                    sg.next = None
                sel = sg.sel
                if sel is not None:
                    if LOCKS:
                        lock(sel)
                    stale = sel.done
                    if not stale:
                        sel.done = True
                        sel.won = sg
                    if LOCKS:
                        unlock(sel)
                if stale:
                    sg.state = sudogIdle
                else:
                    sg.elem = v
                    sg.state = sudogDone
                    gp = sg.g
            elif c.qcount < c.dataqsiz:
                c.buf[c.sendx] = v
                c.sendx += 1
                if c.sendx == c.dataqsiz:
                    c.sendx = 0
                c.qcount += 1
                c.version += 1
                sent = True
        if LOCKS:
            unlock(c)
        if gp is not None:
            goready(gp)
            return True
        if closed:
            raise Error("send on closed channel")
        if not stale:
            return sent


def selectnbrecv(c: Hchan) -> Any:
    """Receive if that needs no waiting: the value, chanClosed (closed and drained), or chanBlocks.

    Source: Go src/runtime/chan.go selectnbrecv, chanrecv, recv.
    """
    while True:
        v: Any = chanBlocks
        stale = False
        gp: Any = None
        if LOCKS:
            lock(c)
        sg = c.sendfirst
        if sg is not None and not c.closed:
            after = sg.next
            c.sendfirst = after
            if after is None:
                c.sendlast = None
            else:
                after.prev = None
                sg.next = None
            sel = sg.sel
            if sel is not None:
                if LOCKS:
                    lock(sel)
                stale = sel.done
                if not stale:
                    sel.done = True
                    sel.won = sg
                if LOCKS:
                    unlock(sel)
            if stale:
                sg.state = sudogIdle
            else:
                if c.qcount == 0:
                    v = sg.elem
                else:  # the buffer is full: the head is ours, and the sender's value goes to the tail, the same slot
                    v = c.buf[c.recvx]
                    c.buf[c.recvx] = sg.elem
                    c.recvx += 1
                    if c.recvx == c.dataqsiz:
                        c.recvx = 0
                    c.sendx = c.recvx
                sg.elem = None
                sg.state = sudogDone
                gp = sg.g
        elif c.qcount > 0:
            v = c.buf[c.recvx]
            c.buf[c.recvx] = None
            c.recvx += 1
            if c.recvx == c.dataqsiz:
                c.recvx = 0
            c.qcount -= 1
            c.version += 1
        elif c.closed:
            v = chanClosed
        if LOCKS:
            unlock(c)
        if gp is not None:
            goready(gp)
            return v
        if not stale:
            return v


def chansend(c: Hchan, v: Any) -> int:
    """Send v, waiting if need be.  Raises: Error, `send on closed channel`.

    Source: Go src/runtime/chan.go chansend.
    """
    if sched.preempt:
        preempted(c, "send on")
    if not LOCKS and not c.closed:  # most sends: to a buffer with room, or to one who waits, and in no select
        sg = c.recvfirst
        if sg is None:
            if c.qcount < c.dataqsiz:
                i = c.sendx
                c.buf[i] = v
                i += 1
                c.sendx = i if i < c.dataqsiz else 0
                c.qcount += 1
                c.version += 1
                return 0
        elif sg.sel is None:
            after = sg.next
            c.recvfirst = after
            if after is None:
                c.recvlast = None
            else:
                after.prev = None
                sg.next = None
            sg.elem = v
            sg.state = sudogDone
            goready(sg.g)
            return 0
    # A glance first: unlockf looks closely before it waits.
    if (c.recvfirst is not None or c.qcount < c.dataqsiz or c.closed) and selectnbsend(c, v):
        return 0
    sg = acquireSudog(c, selectSend)
    while True:
        sg.elem = v
        injected = gopark0(sg, waitReasonChanSend, 0)
        state = sg.state
        if state != sudogIdle or injected:
            break
        if selectnbsend(c, v):
            state = sudogDone
            break
    releaseSudog(sg)
    if state == sudogIdle:
        raiseinjected()
    if state == sudogClosed:
        raise Error("send on closed channel")
    return 0


def chanrecv(c: Hchan) -> Any:
    """Receive, waiting if need be: the value, or chanClosed. Source: Go src/runtime/chan.go chanrecv."""
    if sched.preempt:
        preempted(c, "receive on")
    v: Any
    if not LOCKS:  # most receives: from a buffer that is not full, or from one who waits, and in no select
        sg = c.sendfirst
        if sg is None:
            if c.qcount > 0:
                i = c.recvx
                v = c.buf[i]
                c.buf[i] = None
                i += 1
                c.recvx = i if i < c.dataqsiz else 0
                c.qcount -= 1
                c.version += 1
                return v
        elif sg.sel is None and c.qcount == 0 and not c.closed:
            after = sg.next
            c.sendfirst = after
            if after is None:
                c.sendlast = None
            else:
                after.prev = None
                sg.next = None
            v = sg.elem
            sg.elem = None
            sg.state = sudogDone
            goready(sg.g)
            return v
    if c.qcount > 0 or c.sendfirst is not None or c.closed:  # a glance: unlockf looks closely before it waits
        v = selectnbrecv(c)
        if v is not chanBlocks:
            return v
    sg = acquireSudog(c, selectRecv)
    while True:
        injected = gopark0(sg, waitReasonChanReceive, 0)
        state = sg.state
        if state != sudogIdle or injected:
            v = sg.elem
            break
        v = selectnbrecv(c)
        if v is not chanBlocks:
            state = sudogDone
            break
    releaseSudog(sg)
    if state == sudogDone:
        return v
    if state == sudogIdle:
        raiseinjected()
    return chanClosed


def closechan(c: Hchan) -> int:
    """Close c and wake all who wait on it.  Raises: Error, `close of nil channel`, `close of closed channel`.

    Source: Go src/runtime/chan.go closechan.
    """
    if c is None:
        raise Error("close of nil channel")
    if sched.bubbles > 0:  # type: ignore[unreachable]
        checkbubble(c, "close of")
    if LOCKS:  # type: ignore[unreachable]
        lock(c)
    again = c.closed
    c.closed = True
    c.version += 1
    if LOCKS:
        unlock(c)
    if again:
        raise Error("close of closed channel")
    first: Any = None
    while True:
        stale = False
        if LOCKS:
            lock(c)
        sg = c.recvfirst
        if sg is not None:
            after = sg.next
            c.recvfirst = after
            if after is None:
                c.recvlast = None
        else:
            sg = c.sendfirst
            if sg is not None:
                after = sg.next
                c.sendfirst = after
                if after is None:
                    c.sendlast = None
        if sg is not None:
            if after is not None:
                after.prev = None
                sg.next = None
            sel = sg.sel
            if sel is not None:
                if LOCKS:
                    lock(sel)
                stale = sel.done
                if not stale:
                    sel.done = True
                    sel.won = sg
                if LOCKS:
                    unlock(sel)
            sg.state = sudogIdle if stale else sudogClosed
        if LOCKS:
            unlock(c)
        if sg is None:
            break
        if stale:
            continue
        if first is None:
            first = sg.g
        else:
            goready(sg.g)
    if first is not None:
        goready(first)  # last, since runnext is what was readied last: so they run in the order of their coming
    return 0


def preempted(c: Hchan, what: str) -> int:
    """At the start of what a goroutine does on c, if sched.preempt: it may have to give way, and c not to be its own.

    Raises: Error, `send on synctest channel from outside bubble` and the like.
    """
    checkpreempt()
    if sched.bubbles > 0:
        checkbubble(c, what)
    return 0


def checkbubble(c: Hchan, what: str) -> int:
    """Keep others from c, if it belongs to a bubble."""
    if c.bubble is not None and c.bubble is not curbubble():
        raise Error(f"{what} synctest channel from outside bubble")
    return 0


def timerchandrain(c: Hchan) -> bool:
    """Drop what is in the buffer; whether there was anything. Nobody may wait to send on c.

    Source: Go src/runtime/chan.go timerchandrain.
    """
    found = False
    while True:
        v = selectnbrecv(c)
        if v is chanBlocks or v is chanClosed:
            return found
        found = True


def afterfork(ghosts: list[Any]) -> None:
    """In a forked child: the ghosts, goroutines that do not exist here, no longer wait."""
    for gp in ghosts:
        wl = gp.waitlock
        if isinstance(wl, Sudog) and wl.c is not None:
            dequeueSudoG(wl, gp)
        elif isinstance(wl, selectDone):
            wl.done = True


class Hchan(mutex):
    """A channel: chan() is unbuffered, chan(n) has room for n values. chan[int](n) says so to type checkers.

    Channels compare and hash by identity and are true, empty or not. len(ch) is how many values are in the buffer.
    Iterating receives until the channel is closed and drained; several iterators share the values.

    Raises: TypeError, if cap is no integer; Error, `makechan: size out of range`.
    Source: Go src/runtime/chan.go hchan, makechan.
    """

    __slots__ = (
        "__weakref__",
        "bubble",
        "buf",
        "closed",
        "dataqsiz",
        "qcount",
        "recvfirst",
        "recvlast",
        "recvx",
        "sendfirst",
        "sendlast",
        "sendx",
        "version",
    )

    def __init__(self, cap: Any = 0) -> None:
        if LOCKS:
            mutex.__init__(self)
        n = index(cap)
        if n < 0 or n > _maxcap:
            raise Error("makechan: size out of range")
        self.qcount = 0  # values in the buffer
        self.dataqsiz = n  # its size
        self.sendx = 0  # where the next one sent goes,
        self.recvx = 0  # and where the next one received is
        self.closed = False
        self.version = 0  # one more at each step after which a send or a receive may be possible that was not before
        self.bubble: Any = curbubble() if sched.bubbles > 0 else None  # in which it was made
        self.buf: Any = None
        if n != 0:
            try:
                self.buf = [None] * n
            except MemoryError:
                raise Error("makechan: size out of range") from None
        self.recvfirst: Any = None  # waiting receivers, the longest first,
        self.recvlast: Any = None
        self.sendfirst: Any = None  # and senders
        self.sendlast: Any = None

    def send(self, v: Any, /) -> None:
        """Send v, waiting for a receiver or for room in the buffer.

        Raises: Error, `send on closed channel`, also if it is closed meanwhile; then v has not been sent.
        Source: Go src/runtime/chan.go chansend1.
        """
        chansend(self, v)

    def recv(self) -> Any:
        """Receive a value, waiting for one; None once the channel is closed and drained.

        Source: Go src/runtime/chan.go chanrecv1.
        """
        v = chanrecv(self)
        return None if v is chanClosed else v

    def recv2(self) -> tuple[Any, bool]:
        """Receive: (value, True), or (None, False) once the channel is closed and drained.

        Source: Go src/runtime/chan.go chanrecv2.
        """
        v = chanrecv(self)
        return (None, False) if v is chanClosed else (v, True)

    def close(self) -> None:
        """Close the channel: receivers get what is in the buffer, then None; senders fail.

        Raises: Error, `close of closed channel`.  Source: Go src/runtime/chan.go closechan.
        """
        closechan(self)

    @property
    def cap(self) -> int:
        """The size of the buffer."""
        return self.dataqsiz

    def __len__(self) -> int:
        return self.qcount

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Hchan:
        return self

    def __next__(self) -> Any:
        v = chanrecv(self)
        if v is chanClosed:
            raise StopIteration
        return v

    def __repr__(self) -> str:
        closed = " closed" if self.closed else ""
        return f"<chan at {id(self):#x}: {self.qcount} of {self.dataqsiz}{closed}>"

    def __reduce__(self) -> Any:
        raise TypeError("cannot copy or pickle a channel")

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        return GenericAlias(cls, item)
