"""Parking goroutines until a descriptor is ready: the half that knows no operating system.

Mirrors Go src/runtime/netpoll.go. Differs: rg and wg are compared and set under the pollDesc's lock and not with
atomics; a deadline's timer is left where it is when the deadline moves later (see time); and pollDesc.hup tells the
reader above when a short read does not mean an empty socket.

rg holds one of these, and wg likewise for the writer:

  None     nobody waits and nothing is known
  pdReady  the descriptor is ready, or the deadline has passed, or it is closing; the next wait takes it and returns
  pdWait   a goroutine is about to park
  a G      it is parked

  netpollblock        None -> pdWait, or pdReady -> None and no wait
  netpollblockcommit  pdWait -> G, once the goroutine counts as parked
  netpollunblock      any -> pdReady (ioready) or None; a G found there is the caller's to ready, once
  woken               the goroutine finds pdReady (I/O) or None (deadline, close, an injected exception)

Locks: a PollDesc guards all its fields; then a timers. pollcache before nothing. Callers: any thread.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import lock, mutex, unlock
from runtime.gmp import G, NetPoller, WaitLock, sched, waitReasonIOWait
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
)
from runtime.proc import getg, goready, gopark
from runtime.rawsys import nanotime
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

class PollDesc(WaitLock):
    """What the poller knows of one descriptor. Never freed, only reused, with another fdseq (Go's type-stable memory).

    Guarded by its own lock, but for fd, index and fdseq, which change only while nobody else has it.
    """

    __slots__ = ("closing", "everr", "fd", "fdseq", "hup", "index", "rd", "rg", "rseq", "rt", "wd", "wg", "wseq", "wt")

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
        self.rd = 0  # read deadline (ns); 0 none, < 0 passed
        self.wd = 0
        self.rt: Any = None  # timer of rd, made when first needed
        self.wt: Any = None
        self.rseq = 0  # one more when a set timer must no longer count
        self.wseq = 0

    def unlockf(self, gp: G, mode: int) -> bool:
        """Go's netpollblockcommit."""
        lock(self)
        if mode == READ:
            ok = self.rg is pdWait
            if ok:
                self.rg = gp
        else:
            ok = self.wg is pdWait
            if ok:
                self.wg = gp
        unlock(self)
        return ok

    def cancelf(self, gp: G, mode: int) -> bool:
        """Take gp out of rg or wg, if it is still there."""
        lock(self)
        if mode == READ:
            ok = self.rg is gp
            if ok:
                self.rg = None
        else:
            ok = self.wg is gp
            if ok:
                self.wg = None
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


def netpollready(glist: list[Any], pd: PollDesc, mode: int) -> int:
    """pd is ready for mode: append the goroutines that wait for that to glist; how many they were.

    Source: Go src/runtime/netpoll.go netpollready.
    """
    n = 0
    if mode & READ:
        gp = netpollunblock(pd, READ, True)
        if gp is not None:
            glist.append(gp)
            n += 1
    if mode & WRITE:
        gp = netpollunblock(pd, WRITE, True)
        if gp is not None:
            glist.append(gp)
            n += 1
    return n


def netpollunblock(pd: PollDesc, mode: int, ioready: bool) -> Any:
    """Take the goroutine parked on one side of pd, which the caller must ready, or None.

    With ioready the side is left pdReady. The lock of pd must not be held.
    Source: Go src/runtime/netpoll.go netpollunblock.
    """
    lock(pd)
    old = pd.rg if mode == READ else pd.wg
    if old is pdReady or (old is None and not ioready):
        unlock(pd)
        return None  # only ioready sets pdReady, so that a wait is never ended for nothing
    if mode == READ:
        pd.rg = pdReady if ioready else None
    else:
        pd.wg = pdReady if ioready else None
    unlock(pd)
    return None if old is pdWait or old is None else old


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
    """Park until pd is ready for mode; False if it was the deadline or close that ended the wait.

    waitio: wait for I/O only, ignoring errors. Raises: Error, Go's double wait, naming both goroutines.
    Source: Go src/runtime/netpoll.go netpollblock.
    """
    lock(pd)
    old = pd.rg if mode == READ else pd.wg
    if old is pdReady:
        if mode == READ:
            pd.rg = None
        else:
            pd.wg = None
        unlock(pd)
        return True
    if old is not None:
        unlock(pd)
        _doublewait(pd, mode, old)
    if mode == READ:
        pd.rg = pdWait
    else:
        pd.wg = pdWait
    unlock(pd)
    # The error is looked up after pdWait is set: pollUnblock and the deadline set theirs first and then look for
    # somebody to wake, so that one of the two sees the other.
    try:
        if waitio or netpollcheckerr(pd, mode) == pollNoError:
            gopark(pd, waitReasonIOWait, mode)
    except BaseException:
        _netpollleave(pd, mode)
        raise
    return _netpollleave(pd, mode)


def _netpollleave(pd: PollDesc, mode: int) -> bool:
    """Leave rg or wg as None, as before the wait; True if it was pdReady."""
    lock(pd)
    if mode == READ:
        old = pd.rg
        pd.rg = None
    else:
        old = pd.wg
        pd.wg = None
    unlock(pd)
    if old is not None and old is not pdReady and old is not pdWait:
        throw("runtime: corrupted polldesc")
    return old is pdReady


def _doublewait(pd: PollDesc, mode: int, old: Any) -> None:
    what = "read" if mode == READ else "write"
    waiter = f"goroutine {old.goid}" if isinstance(old, G) else "another goroutine"
    raise Error(f"runtime: double wait: goroutine {getg().goid} would {what} fd {pd.fd}, on which {waiter} waits")


# ---- what internal/poll calls


def netpollGenericInit() -> NetPoller:
    """The platform's poller, made on the first call. Source: Go src/runtime/netpoll.go netpollGenericInit."""
    if sched.poller is None:
        from runtime.netpoll_epoll import EpollPoller

        poller = EpollPoller()
        lock(sched)
        if sched.poller is None:
            sched.poller = poller
            sched.lastpoll = nanotime()
        unlock(sched)
        if sched.poller is not poller:
            poller.close()  # another thread was first
    return sched.poller


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
    pd.rd = 0
    pd.wd = 0
    pd.rseq += 1
    pd.wseq += 1
    unlock(pd)
    err = poller.netpollopen(fd, pd)
    if err != 0:
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
    err = sched.poller.netpollclose(pd.fd)
    lock(pd)
    pd.fdseq += 1
    pd.fd = -1
    unlock(pd)
    pollcache.free.append(pd)
    return -err


def poll_runtime_pollReset(pd: PollDesc, mode: int) -> int:
    """Before an attempt at I/O: forget an earlier readiness; an error code. Source: Go src/runtime/netpoll.go."""
    err = netpollcheckerr(pd, mode)
    if err != pollNoError:
        return err
    if mode == READ:
        pd.rg = None
    else:
        pd.wg = None
    return pollNoError


def poll_runtime_pollWait(pd: PollDesc, mode: int) -> int:
    """Park until pd is ready for mode; an error code. Source: Go src/runtime/netpoll.go poll_runtime_pollWait."""
    err = netpollcheckerr(pd, mode)
    if err != pollNoError:
        return err
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
    rg: Any = None
    wg: Any = None
    if pd.closing:
        return 0
    if mode & READ:
        if d > 0 and pd.rt is None:
            pd.rt = timer(netpollReadDeadline, pd)
        lock(pd)
        pd.rd = d
        pd.rseq += 1
        seq = pd.rseq
        unlock(pd)
        if pd.rt is not None:
            if d > 0:
                modify(pd.rt, d, 0, pd, seq)
            else:
                stop(pd.rt)
        if d < 0:
            rg = netpollunblock(pd, READ, False)
    if mode & WRITE:
        if d > 0 and pd.wt is None:
            pd.wt = timer(netpollWriteDeadline, pd)
        lock(pd)
        pd.wd = d
        pd.wseq += 1
        seq = pd.wseq
        unlock(pd)
        if pd.wt is not None:
            if d > 0:
                modify(pd.wt, d, 0, pd, seq)
            else:
                stop(pd.wt)
        if d < 0:
            wg = netpollunblock(pd, WRITE, False)
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
