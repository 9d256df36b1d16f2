"""Parking goroutines until a descriptor is ready: the half that knows no operating system.

Mirrors Go src/runtime/netpoll.go. Differs: rg and wg are compared and set under the pollDesc's lock and not with
atomics; a deadline's timer is left where it is when the deadline moves later (see time); pollDesc.hup tells the
reader above when a short read does not mean an empty socket; and a parked reader may lend its buffer (rbuf) to the
poller, which then reads for it before it is readied. That reads a batch of sockets in one go, with the kernel's code
for it in the cache, and sends the answers in one go when the goroutines run.

rg holds one of these, and wg likewise for the writer:

  None     nobody waits and nothing is known
  pdReady  the descriptor is ready, or the deadline has passed, or it is closing; the next wait takes it and returns
  pdWait   a goroutine is about to park
  a G      it is parked

rbuf and rn belong to the reader, and while it is parked with a buffer in rbuf, to the poller.

  rn is rnNone    the poller has not read; else what its recv returned, for the reader to take before its next wait.
                  The event was used up by that, so rg is None: what it holds later is a newer event.

  netpollblock        None -> pdWait, or pdReady -> None and no wait
  netpollblockcommit  pdWait -> G, once the goroutine counts as parked
  netpollunblock      any -> pdReady (ioready) or None; a G found there is the caller's to ready, once
  woken               the goroutine finds pdReady (I/O) or None (deadline, close, an injected exception); with
                      something in rn it has been woken by I/O, whatever rg says

Locks: a PollDesc guards all its fields; a timers may be taken after it. Callers: any thread.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import LOCKS, getm, lock, mutex, unlock
from runtime.gmp import G, WaitLock, _Grunning, _Gwaiting, sched, waitReasonIOWait
from runtime.panic import Error, throw
from runtime.pollcodes import (
    READ,
    WRITE,
    pdReady,
    pdWait,
    pollErrClosing,
    pollErrNotPollable,
    pollErrTimeout,
    pollNoError,
    rnNone,
)
from runtime.proc import getg, gopark0, goready, raiseinjected, schedule
from runtime.rawsys import SHORT, compiled, nanotime, recvahead
from runtime.time import maxWhen, modify, stop, timer

__all__ = [
    "PollCache",
    "PollDesc",
    "netpollGenericInit",
    "netpollready",
    "poll_runtime_pollClose",
    "poll_runtime_pollOpen",
    "poll_runtime_pollReset",
    "poll_runtime_pollSetDeadline",
    "poll_runtime_pollUnblock",
    "poll_runtime_pollWait",
    "pollcache",
]


_COUNT = SHORT - 1  # the bytes in what recv returns


class PollDesc(WaitLock):
    """What the poller knows of one descriptor. Never freed, only reused, with another fdseq (Go's type-stable memory).

    Guarded by its own lock, but for fd, index and fdseq, which change only while nobody else has it.
    """

    __slots__ = (
        "closing",
        "everr",
        "fd",
        "fdseq",
        "hup",
        "index",
        "rbuf",
        "rd",
        "rg",
        "rn",
        "rseq",
        "rt",
        "wd",
        "wg",
        "wseq",
        "wt",
    )

    def __init__(self, index: int) -> None:
        WaitLock.__init__(self)
        self.index = index  # in pollcache.all
        self.fdseq = 0  # counts its lives; what the kernel hands back names both
        self.fd = -1
        self.closing = False
        self.everr = False  # the last event was an error and nothing else
        self.hup = 0  # events since the last EAGAIN that void the short-read hint: RDHUP, HUP, ERR, PRI
        self.rg: Any = None
        self.wg: Any = None
        self.rbuf: Any = None  # what the reader parked in rg would have the poller read into
        self.rn = rnNone  # what recv made of that
        self.rd = 0  # read deadline (ns); 0 none, < 0 passed
        self.wd = 0
        self.rt: Any = None  # timer of rd, made when first needed
        self.wt: Any = None
        self.rseq = 0  # one more when a set timer must no longer count
        self.wseq = 0

    def unlockf(self, gp: G, mode: int) -> bool:
        """Go's netpollblockcommit."""
        if LOCKS:
            lock(self)
        if mode == READ:
            ok = self.rg is pdWait
            if ok:
                self.rg = gp
        else:
            ok = self.wg is pdWait
            if ok:
                self.wg = gp
        if LOCKS:
            unlock(self)
        return ok

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take gp out of rg or wg, if it is still there."""
        if LOCKS:
            lock(self)
        if mode == READ:
            ok = self.rg is gp
            if ok:
                self.rg = None
        else:
            ok = self.wg is gp
            if ok:
                self.wg = None
        if LOCKS:
            unlock(self)
        return ok

    def __repr__(self) -> str:
        return f"<PollDesc {self.index} seq {self.fdseq} fd {self.fd} rg={self.rg!r} wg={self.wg!r}>"


class PollCache(mutex):
    """All PollDescs ever made, and those that are free. Source: Go src/runtime/netpoll.go pollCache."""

    __slots__ = ("all", "free")

    def __init__(self) -> None:
        mutex.__init__(self)
        self.all: list[Any] = [None, None]  # 0 and 1 are the poller's own descriptors
        self.free: list[Any] = []


pollcache = PollCache()


def _alloc() -> PollDesc:
    try:
        pd: PollDesc = pollcache.free.pop()
    except IndexError:
        pd = PollDesc(0)
        lock(pollcache)
        pd.index = len(pollcache.all)
        pollcache.all.append(pd)
        unlock(pollcache)
    return pd


def netpollready(glist: list[Any], pd: PollDesc, mode: int, ahead: bool) -> int:
    """pd is ready for mode (READ, WRITE or BOTH): append the goroutines that wait for that to glist.

    With ahead, read for a reader that has lent its buffer; the number of bytes read is returned.
    Source: Go src/runtime/netpoll.go netpollready, with its two netpollunblocks in one.
    """
    rg: Any = None
    wg: Any = None
    n = 0
    if LOCKS:
        lock(pd)
    if mode != WRITE:
        rg = pd.rg
        pd.rg = pdReady
    if mode != READ:
        wg = pd.wg
        pd.wg = pdReady
    if LOCKS:
        unlock(pd)
    if rg is not None and rg is not pdReady and rg is not pdWait:
        if ahead and pd.rbuf is not None:
            # rg is ours alone now, and keeps the descriptor open (fdMutex) until it has run. The caller polls, so no
            # newer event comes in between.
            n = recvahead(pd.fd, pd.rbuf)
            pd.rbuf = None
            if n == rnNone:
                n = 0
            else:
                pd.rn = n
                if LOCKS:
                    lock(pd)
                if pd.rg is pdReady:
                    pd.rg = None
                if LOCKS:
                    unlock(pd)
                n = n & _COUNT if n > 0 else 0
        glist.append(rg)
    if wg is not None and wg is not pdReady and wg is not pdWait:
        glist.append(wg)
    return n


def netpollunblock(pd: PollDesc, mode: int, ioready: bool) -> Any:
    """Take the goroutine parked on one side of pd, which the caller must ready, or None.

    With ioready the side is left pdReady; without, pdReady stays where it is, and nothing else sets it, so that a
    wait never ends for nothing. The lock of pd must not be held.  Source: Go src/runtime/netpoll.go netpollunblock.
    """
    new: Any = pdReady if ioready else None
    if LOCKS:
        lock(pd)
    if mode == READ:
        old = pd.rg
        if old is not pdReady:
            pd.rg = new
    else:
        old = pd.wg
        if old is not pdReady:
            pd.wg = new
    if LOCKS:
        unlock(pd)
    return None if old is None or old is pdReady or old is pdWait else old


def netpollcheckerr(pd: PollDesc, mode: int) -> int:
    """Why an operation on pd may not go on; pollNoError if it may. Source: Go src/runtime/netpoll.go."""
    if pd.closing:
        return pollErrClosing
    if (pd.rd < 0) if mode == READ else (pd.wd < 0):
        return pollErrTimeout
    if mode == READ and pd.everr:
        return pollErrNotPollable
    return pollNoError


def netpollblock(pd: PollDesc, mode: int, waitio: bool) -> bool:
    """Park until pd is ready for mode; False if it was the deadline or close that ended the wait, or forbids it.

    waitio: wait for I/O only, ignoring errors. Raises: Error, Go's double wait, naming both goroutines.
    Differs: here the look for an error and the setting of pdWait are one step, so that pollUnblock and the deadline,
    which set theirs first and then look for somebody to wake, cannot come between.
    Source: Go src/runtime/netpoll.go netpollblock.
    """
    park = False
    old: Any = None
    mp: Any = getm()
    gp = None if mp is None else mp.curg
    if (
        mode == READ
        and not LOCKS
        and gp is not None
        and gp.status == _Grunning
        and pd.rg is None
        and not (pd.closing or pd.everr or pd.rd < 0)
        and gp.injected is None
        and gp.bubble is None
        and not gp.wasg0
        and mp.p is not None
    ):
        # gopark0 in line, for this is the way of every message. Nobody comes between these lines (see asm, Locks), so
        # that pdWait and the commit are one step.
        gp.waitreason = waitReasonIOWait
        gp.waitmode = READ
        gp.waitlock = pd
        gp.waitsince = 0
        gp.status = _Gwaiting
        pd.rg = gp
        schedule(mp, gp)
        gp.waitlock = None
        pd.rbuf = None
        if pd.rn != rnNone:
            return True
        return _waited(pd, READ, gp.injected is not None)
    if LOCKS:
        lock(pd)
    if mode == READ:
        if waitio or not (pd.closing or pd.everr or pd.rd < 0):
            old = pd.rg
            if old is pdReady:
                pd.rg = None
            elif old is None:
                pd.rg = pdWait
                park = True
    elif waitio or not (pd.closing or pd.wd < 0):
        old = pd.wg
        if old is pdReady:
            pd.wg = None
        elif old is None:
            pd.wg = pdWait
            park = True
    if LOCKS:
        unlock(pd)
    if not park:
        if old is not None and old is not pdReady:
            _doublewait(pd, mode, old)
        if mode == READ:
            pd.rbuf = None
        return old is pdReady
    injected = gopark0(pd, waitReasonIOWait, mode)
    if mode == READ:
        pd.rbuf = None
        if pd.rn != rnNone:
            return True  # nothing that was read is lost: what was injected, if so, is raised at the next park
    return _waited(pd, mode, injected)


def _waited(pd: PollDesc, mode: int, injected: bool) -> bool:
    """The end of netpollblock after a park: leave rg or wg as None, as before it; whether there is I/O to do."""
    old: Any = None
    if LOCKS:
        lock(pd)
    if mode == READ:
        old = pd.rg
        pd.rg = None
    else:
        old = pd.wg
        pd.wg = None
    if injected and old is pdReady:  # for the next wait: the edge will not be reported again
        if mode == READ:
            pd.rg = pdReady
        else:
            pd.wg = pdReady
    if LOCKS:
        unlock(pd)
    if injected:
        raiseinjected()
    if old is pdReady:
        return True
    if old is not None and old is not pdWait:
        throw("runtime: corrupted polldesc")
    return False


def _doublewait(pd: PollDesc, mode: int, old: Any) -> None:
    what = "read" if mode == READ else "write"
    waiter = f"goroutine {old.goid}" if isinstance(old, G) else "another goroutine"
    raise Error(f"runtime: double wait: goroutine {getg().goid} would {what} fd {pd.fd}, on which {waiter} waits")


# ---- what internal/poll calls


def netpollGenericInit() -> Any:
    """The platform's poller, made on the first call. Source: Go src/runtime/netpoll.go netpollGenericInit."""
    if sched.poller is None:
        poller = _newpoller()
        for pd in pollcache.all:  # in a forked child: what the parent's poller had; before anybody can add to it
            if pd is not None and pd.fd >= 0 and not pd.closing:
                poller.netpollopen(pd.fd, pd)
        lock(sched)
        if sched.poller is None:
            sched.poller = poller
            sched.lastpoll = nanotime()
        unlock(sched)
        if sched.poller is not poller:
            poller.close()  # another thread was first
    return sched.poller


def _newpoller() -> Any:
    if compiled:
        from runtime.netpoll_epoll import EpollPoller

        return EpollPoller()
    from runtime.netpoll_pure import PurePoller

    return PurePoller()


def poll_runtime_pollOpen(fd: int) -> tuple[Any, int]:
    """Register fd, for both directions and for good: (PollDesc, 0) or (None, errno).

    Source: Go src/runtime/netpoll.go poll_runtime_pollOpen.
    """
    poller = netpollGenericInit()
    pd = _alloc()
    lock(pd)
    pd.fd = fd
    pd.closing = False
    pd.everr = False
    pd.hup = 0
    pd.rg = None
    pd.wg = None
    pd.rbuf = None
    pd.rn = rnNone
    pd.rd = 0
    pd.wd = 0
    pd.rseq += 1
    pd.wseq += 1
    unlock(pd)
    err = poller.netpollopen(fd, pd)
    if err != 0:
        pd.fd = -1  # a forked child would register it
        pollcache.free.append(pd)
        return None, -err
    return pd, 0


def poll_runtime_pollClose(pd: PollDesc) -> int:
    """Take pd's descriptor, which must be closing with nobody waiting, out of the poller; its errno or 0.

    Source: Go src/runtime/netpoll.go poll_runtime_pollClose.
    """
    if not pd.closing:
        throw("runtime: close polldesc w/o unblock")
    if isinstance(pd.rg, G) or isinstance(pd.wg, G):
        throw("runtime: blocked on closing polldesc")
    err = netpollGenericInit().netpollclose(pd.fd)
    lock(pd)
    pd.fdseq += 1
    pd.fd = -1
    unlock(pd)
    pollcache.free.append(pd)
    return -int(err)


def poll_runtime_pollReset(pd: PollDesc, mode: int) -> int:
    """Before an attempt at I/O: forget an earlier readiness; an error code. Source: Go src/runtime/netpoll.go."""
    if mode == READ:
        if pd.closing or pd.everr or pd.rd < 0:
            return netpollcheckerr(pd, mode)
        pd.rg = None
    else:
        if pd.closing or pd.wd < 0:
            return netpollcheckerr(pd, mode)
        pd.wg = None
    return pollNoError


def poll_runtime_pollWait(pd: PollDesc, mode: int) -> int:
    """Park until pd is ready for mode; an error code. Source: Go src/runtime/netpoll.go poll_runtime_pollWait."""
    while not netpollblock(pd, mode, False):
        err = netpollcheckerr(pd, mode)
        if err != pollNoError:
            return err
        # The deadline woke us and was set anew before we ran: as if it had not happened.
    return pollNoError


def poll_runtime_pollUnblock(pd: PollDesc) -> int:
    """Begin closing pd: whoever waits on it, now or later, is told so. Source: Go src/runtime/netpoll.go."""
    lock(pd)
    if pd.closing:
        unlock(pd)
        throw("runtime: unblock on closing polldesc")
    pd.closing = True
    pd.rseq += 1
    pd.wseq += 1
    unlock(pd)
    if pd.rt is not None:
        stop(pd.rt)
    if pd.wt is not None:
        stop(pd.wt)
    rg = netpollunblock(pd, READ, False)
    wg = netpollunblock(pd, WRITE, False)
    if rg is not None:
        goready(rg)
    if wg is not None:
        goready(wg)
    return 0


def poll_runtime_pollSetDeadline(pd: PollDesc, d: int, mode: int) -> int:
    """Set the deadline of mode to the instant d (ns), 0 for none; one that has passed wakes whoever waits.

    Source: Go src/runtime/netpoll.go poll_runtime_pollSetDeadline.
    """
    if d > 0 and d <= nanotime():
        d = -1
    elif d > maxWhen:
        d = maxWhen
    if pd.closing:
        return 0
    if mode & READ:
        lock(pd)
        pd.rd = d
        pd.rseq += 1
        unlock(pd)
        if d > 0 and pd.rt is None:
            pd.rt = timer(netpollReadDeadline, pd)
        seq = -1
        while pd.rt is not None and seq != pd.rseq:  # until the timer has the last of several threads' deadlines
            seq = pd.rseq
            when = pd.rd
            if when > 0:
                modify(pd.rt, when, 0, pd, seq)
            else:
                stop(pd.rt)
    if mode & WRITE:
        lock(pd)
        pd.wd = d
        pd.wseq += 1
        unlock(pd)
        if d > 0 and pd.wt is None:
            pd.wt = timer(netpollWriteDeadline, pd)
        seq = -1
        while pd.wt is not None and seq != pd.wseq:
            seq = pd.wseq
            when = pd.wd
            if when > 0:
                modify(pd.wt, when, 0, pd, seq)
            else:
                stop(pd.wt)
    if d < 0:
        rg = netpollunblock(pd, READ, False) if mode & READ else None
        wg = netpollunblock(pd, WRITE, False) if mode & WRITE else None
        if rg is not None:
            goready(rg)
        if wg is not None:
            goready(wg)
    return 0


def netpollReadDeadline(pd: PollDesc, seq: int, delta: int) -> None:
    """The read deadline's timer fired. Source: Go src/runtime/netpoll.go netpolldeadlineimpl."""
    lock(pd)
    stale = pd.rseq != seq or pd.rd <= 0
    if not stale:
        pd.rd = -1
    unlock(pd)
    if not stale:
        gp = netpollunblock(pd, READ, False)
        if gp is not None:
            goready(gp)


def netpollWriteDeadline(pd: PollDesc, seq: int, delta: int) -> None:
    """The write deadline's timer fired."""
    lock(pd)
    stale = pd.wseq != seq or pd.wd <= 0
    if not stale:
        pd.wd = -1
    unlock(pd)
    if not stale:
        gp = netpollunblock(pd, WRITE, False)
        if gp is not None:
            goready(gp)
