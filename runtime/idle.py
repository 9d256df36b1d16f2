"""An M that finds nothing to run: its sleep, in the poller or on its note, and what ends it.

Mirrors Go src/runtime/proc.go: the second half of findRunnable, stopm, injectglist, checkdead, wakep, and mfinal.go.
Differs: there is no list of idle Ms. An M announces in mp.blocked that it is about to sleep (1: in the poller, 2: on
mp.park) and then looks at its queue once more (_hasother); whoever adds to that queue does so first and then looks at
mp.blocked (wakem). One of them sees the other.

One M at a time sleeps in the poller: who holds its lock. Who leaves it wakes another, if one sleeps on its note, to
take its place (wakeparked). A signal handler that raises, or forks, does so in idle on M 0, and what it raises comes
out there.
"""

from __future__ import annotations

from typing import Any

from runtime.asm import lock, trylock, unlock
from runtime.gmp import G, M, _Grunnable, _Gwaiting, _Pdead, sched, waitReasonIOWait
from runtime.panic import throw, unowned
from runtime.rawsys import checksignals, nanotime
from runtime.time import dropzombies, runtimers, timers, timeSleepUntil

__all__ = [
    "addnsyscall",
    "idle",
    "injectglist",
    "pollonce",
    "queuefinalizer",
    "readyelsewhere",
    "runfinq",
    "wakem",
    "wakep",
    "wakeparked",
]


# ---- sleeping


def idle(mp: M, pp: Any) -> int:
    """Sleep, in the poller or (if another M is there) on mp.park, until there may be something to do for mp.

    pp is None for a foreign thread. On return what became ready has been queued, and due timers have been run.
    What a signal handler raises comes out.
    """
    if sched.exiting and mp is sched.m0:
        _starttheworld()
    if sched.finq:
        runfinq()
    poller = sched.poller
    if poller is None:
        from runtime.netpoll import netpollGenericInit

        poller = netpollGenericInit()
    park = mp.park  # of before a fork: where a handler forks from here on, the child finds this one woken
    # Who polls without sleeping (sysmon) looks for blocked == 2 after it has let the poller go.
    mp.blocked = 2
    polling = trylock(poller)
    if polling:
        mp.blocked = 1
    try:
        if mp is sched.m0:
            if not poller.signals:
                poller.opensignals()
            checksignals()  # another M's poll may have taken the byte that tells of one
        if _hasother(mp, pp):
            return 0
        if polling:
            # polluntil first, so that a timer armed while we look at the others breaks the sleep
            sched.polluntil = 0
            sched.lastpoll = 0
            dropzombies()
            until = timeSleepUntil()
            sched.polluntil = until
            if until != 0:
                delay = until - nanotime()
                if delay < 0:
                    delay = 0
            else:
                delay = _checkdead(mp)
            if sched.poller is not poller:
                return 0  # a handler has forked, and this is the child
            glist = poller.netpoll(delay)
            if glist:
                injectglist(mp, glist)
        else:
            # The poller sleeps for ever because others, as this M, still ran: let it look again.
            if sched.recheck and sched.poller is poller:
                sched.recheck = False
                poller.netpollBreak()
            park.sleep(-1)
    finally:
        mp.blocked = 0
        if polling:
            if sched.lastpoll == 0:
                sched.lastpoll = nanotime()
            unlock(poller)
            if pp is not None and len(sched.allm) > 1:
                wakeparked()  # somebody idle should poll, while this M works or when it has ended
        sched.nmspinning = 0
        if sched.sysmonwait:
            sched.sysmonnote.wakeup()
            sched.sysmonwait = False
    if mp is sched.m0:
        checksignals()
    now = nanotime()
    for other in sched.allp:
        ts: timers = other.timers
        if ts.minwhen != 0 and ts.minwhen <= now:
            runtimers(ts, now)
    return 0


def _starttheworld() -> None:
    from runtime.mthread import starttheworld

    starttheworld()


def _hasother(mp: M, pp: Any) -> bool:
    """Whether mp, having announced its sleep, must not sleep."""
    if pp is None:
        return bool(mp.curg.status != _Gwaiting)
    if pp.runnext is not None or pp.runq or sched.finq:
        return True
    if mp.stopping and mp.nwired == 0:
        return True
    if pp.status == _Pdead:
        return False
    if sched.runq:
        return True
    if sched.gomaxprocs > 1 and not mp.stopping:
        for other in sched.allp:  # what was queued after we looked whom to steal from woke nobody: we were awake
            if other is not pp and other.runq:
                for e in other.runq.copy():
                    gp = e
                    if gp.m is None:
                        return True
    return False


def _checkdead(mp: M) -> int:
    """How long to sleep when no timer is armed: -1 for ever, or until the next look for a deadlock.

    Source: Go src/runtime/proc.go checkdead.
    """
    w = sched.iowitness
    if w is not None and w.status == _Gwaiting and w.waitreason == waitReasonIOWait:
        return -1
    sched.iowitness = None
    sched.recheck = True  # first: who parks from now on, or ends a Syscall, has us look again
    if sched.nsyscall > 0:
        return -1
    from runtime.deadlock import check

    return check(mp)


# ---- waking


def wakem(mp: M) -> int:
    """Wake mp if it sleeps or is about to. From any thread."""
    if mp.blocked == 1:
        sched.poller.netpollBreak()
    elif mp.blocked == 2 or mp.isextra:
        mp.park.wakeup()
    return 0


def readyelsewhere(gp: G) -> int:
    """Queue a runnable goroutine of another M, and see that this M looks."""
    mp = gp.m
    if mp.p is not None:
        mp.p.runq.append(gp)
    wakem(mp)
    return 0


def injectglist(mp: Any, glist: list[Any]) -> int:
    """Queue the parked goroutines in glist, each on its own P. mp is the caller's M or None.

    Source: Go src/runtime/proc.go injectglist.
    """
    pp: Any = None if mp is None else mp.p
    for e in glist:
        gp: G = e
        if gp.status != _Gwaiting:
            throw("bad g->status in injectglist")
        gp.status = _Grunnable
        if pp is not None and gp.m is mp:
            pp.runq.append(gp)
        else:
            readyelsewhere(gp)
    return 0


def wakep() -> int:
    """See that somebody looks at the queue that was just added to. Source: Go src/runtime/proc.go wakep."""
    # Not `from runtime import mthread`: of a package that runs Python lines, and signal handlers between them.
    from runtime.mthread import wakep as wake

    return wake()


def wakeparked() -> bool:
    """If nobody sleeps in the poller, wake an M that sleeps elsewhere, to do so; whether there was one."""
    if sched.lastpoll != 0:
        for other in list(sched.allm):
            if other.blocked == 2:
                other.park.wakeup()
                return True
    return False


def addnsyscall(n: int) -> int:
    """Count a Syscall begun (1) or ended (-1)."""
    lock(sched)
    sched.nsyscall += n
    last = sched.nsyscall == 0
    unlock(sched)
    if last and sched.recheck and sched.poller is not None:
        sched.recheck = False
        sched.poller.netpollBreak()
    return 0


# ---- what is done on the way


def pollonce(mp: M) -> int:
    """Queue what has become ready, without sleeping; nothing if another thread is at it."""
    poller = sched.poller
    if not trylock(poller):
        return 0
    try:
        glist = poller.netpoll(0)
        sched.lastpoll = nanotime()
    finally:
        unlock(poller)
    if len(sched.allm) > 1:
        wakeparked()
    if glist:
        injectglist(mp, glist)
    return 0


def runfinq() -> int:
    """Do what finalizers have left to be done. Source: Go src/runtime/mfinal.go runFinalizers.

    A finalizer runs wherever the collector does, with any lock held, so it may do no more than queue; and what it
    queues must not park.
    """
    while True:
        try:
            f, arg = sched.finq.popleft()
        except IndexError:
            return 0
        try:
            f(arg)
        except BaseException as exc:
            unowned(exc)


def queuefinalizer(f: Any, arg: Any) -> int:
    """From a finalizer: have f(arg) called soon. Source: Go src/runtime/mfinal.go queuefinalizer."""
    sched.finq.append((f, arg))
    mp = sched.m0
    if mp is not None and mp.blocked:
        wakem(mp)
    return 0
