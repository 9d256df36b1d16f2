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
    waitReasonChanReceive,
    waitReasonChanSend,
)
from runtime.panic import Error
from runtime.proc import checkpreempt, getg, gopark0, goready, raiseinjected
from runtime.time import curbubble

__all__ = [
    "Hchan",
    "Sudog",
    "closechan",
    "dequeueSudoG",
    "dropghost",
    "enqueueSudoG",
    "selectDone",
    "selectRecv",
    "selectSend",
    "selectnbrecv",
    "selectnbsend",
    "sudogClosed",
    "sudogDone",
    "sudogIdle",
    "sudogQueued",
    "timerchandrain",
]

# What a sudog waits for: Go's selectDir.
selectSend = 1
selectRecv = 2

sudogIdle = 0
sudogQueued = 1
sudogDone = 2  # its value has been handed over, or it has been handed one
sudogClosed = 3  # the channel was closed


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
        """Wait in the queue, unless the operation has become possible since it was tried."""
        return enqueueSudoG(self)

    def cancelf(self, gp: G, mode: int) -> bool:
        """Leave the queue, if nobody else has taken it out."""
        return dequeueSudoG(self)

    def durable(self, bubble: Any) -> bool:
        """Whether the channel is the bubble's own."""
        return self.c.bubble is bubble


def acquireSudog(gp: G, c: Hchan, mode: int) -> Sudog:
    """gp's spare sudog, or a new one. Source: Go src/runtime/proc.go acquireSudog, whose cache is on the P."""
    sg: Any = gp.sudog
    if sg is None:
        sg = Sudog()
    else:
        gp.sudog = None  # a signal handler that waits in between needs another
    sg.c = c
    sg.g = gp
    sg.mode = mode
    return sg  # type: ignore[no-any-return]


def releaseSudog(gp: G, sg: Sudog) -> int:
    """Keep sg for gp's next wait, with nothing in it. Source: Go src/runtime/proc.go releaseSudog."""
    sg.c = None
    sg.g = None
    sg.elem = None
    sg.state = sudogIdle
    gp.sudog = sg
    return 0


def enqueueSudoG(sg: Sudog) -> bool:
    """Put sg at the end of its queue; False, and nothing done, if its operation may be possible right now.

    A stale sudog may be mistaken for a partner; then the caller, trying again, drops it. The other side of sg's own
    select is no partner.  Source: Go src/runtime/chan.go waitq.enqueue.
    """
    c: Hchan = sg.c
    if LOCKS:
        lock(c)
    if sg.mode == selectSend:
        other = c.recvfirst
        wait = not c.closed and c.qcount == c.dataqsiz
        if wait and (other is None or (other.sel is not None and other.sel is sg.sel and other is c.recvlast)):
            last = c.sendlast
            if last is None:
                c.sendfirst = sg
            else:
                last.next = sg
                sg.prev = last
            c.sendlast = sg
            sg.state = sudogQueued
        else:
            wait = False
    else:
        other = c.sendfirst
        wait = not c.closed and c.qcount == 0
        if wait and (other is None or (other.sel is not None and other.sel is sg.sel and other is c.sendlast)):
            last = c.recvlast
            if last is None:
                c.recvfirst = sg
            else:
                last.next = sg
                sg.prev = last
            c.recvlast = sg
            sg.state = sudogQueued
        else:
            wait = False
    if LOCKS:
        unlock(c)
    return wait


def dequeueSudoG(sg: Sudog) -> bool:
    """Take sg out of its queue; False if it is in none. Source: Go src/runtime/chan.go waitq.dequeueSudoG."""
    c: Hchan = sg.c
    if LOCKS:
        lock(c)
    found = sg.state == sudogQueued
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
        elif c.closed:
            v = chanClosed
        if LOCKS:
            unlock(c)
        if gp is not None:
            goready(gp)
            return v
        if not stale:
            return v


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


def dropghost(gp: G) -> None:
    """In a forked child: gp, which waits on channels, does not exist here. The locks are as they were at the fork."""
    sg = gp.waitlock
    if isinstance(sg, Sudog):
        mutex.__init__(sg.c)
        dequeueSudoG(sg)
    elif isinstance(sg, selectDone):
        sg.done = True


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
    )

    def __init__(self, cap: Any = 0) -> None:
        if LOCKS:
            mutex.__init__(self)
        n = index(cap)
        if n < 0 or n > sys.maxsize // 16:
            raise Error("makechan: size out of range")
        self.qcount = 0  # values in the buffer
        self.dataqsiz = n  # its size
        self.sendx = 0  # where the next one sent goes,
        self.recvx = 0  # and where the next one received is
        self.closed = False
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

    def send(self, v: Any) -> None:
        """Send v, waiting for a receiver or for room in the buffer.

        Raises: Error, `send on closed channel`, also if it is closed meanwhile; then v has not been sent.
        Source: Go src/runtime/chan.go chansend.
        """
        if sched.preempt:
            preempted(self, "send on")
        if selectnbsend(self, v):
            return
        gp = getg()
        sg = acquireSudog(gp, self, selectSend)
        while True:
            sg.elem = v
            injected = gopark0(sg, waitReasonChanSend, 0)
            state = sg.state
            if state != sudogIdle or injected:
                break
            if selectnbsend(self, v):
                state = sudogDone
                break
        releaseSudog(gp, sg)
        if state == sudogIdle:
            raiseinjected()
        if state == sudogClosed:
            raise Error("send on closed channel")

    def recv(self) -> Any:
        """Receive a value, waiting for one; None once the channel is closed and drained.

        Source: Go src/runtime/chan.go chanrecv1.
        """
        if sched.preempt:
            preempted(self, "receive on")
        v = selectnbrecv(self)
        if v is chanBlocks:
            v = self._recvwait()
        return None if v is chanClosed else v

    def recv2(self) -> tuple[Any, bool]:
        """Receive: (value, True), or (None, False) once the channel is closed and drained.

        Source: Go src/runtime/chan.go chanrecv2.
        """
        if sched.preempt:
            preempted(self, "receive on")
        v = selectnbrecv(self)
        if v is chanBlocks:
            v = self._recvwait()
        return (None, False) if v is chanClosed else (v, True)

    def _recvwait(self) -> Any:
        """Wait for a value: that, or chanClosed."""
        gp = getg()
        sg = acquireSudog(gp, self, selectRecv)
        while True:
            injected = gopark0(sg, waitReasonChanReceive, 0)
            state = sg.state
            if state != sudogIdle or injected:
                break
            v = selectnbrecv(self)
            if v is not chanBlocks:
                releaseSudog(gp, sg)
                return v
        v = sg.elem
        releaseSudog(gp, sg)
        if state == sudogIdle:
            raiseinjected()
        return chanClosed if state == sudogClosed else v

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
        if sched.preempt:
            preempted(self, "receive on")
        v = selectnbrecv(self)
        if v is chanBlocks:
            v = self._recvwait()
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
