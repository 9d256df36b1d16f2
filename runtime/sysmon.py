"""The monitor: a thread without a P that watches the others.

Mirrors Go src/runtime/proc.go sysmon, retake, schedtrace. What it does at every tick: polls, if nobody has for 10 ms;
asks the goroutine that has run for 10 ms to give way (P.preempt: its next call that could park does); runs timers
that are overdue because their M is busy; and starts an M for what foreign threads have queued, if all are stuck. And
every ten seconds it notes which goroutines wait (G.waitsince, for dumps): in Go the garbage collector does that.

Differs from Go: the delay doubles from 20 us at once, and not after 50 ticks, and a retake does not start it over.
Each tick takes the GIL from whoever computes (6 % of a busy echo server, with what it takes to wait for it), and
nothing here needs a finer grain than 10 ms, since a blocking call holds no P. For the same reason a tick is skipped
if the only M has polled since the last one: then it schedules, runs timers, and is not stuck. (Unless somebody was just
asked to give way: whoever computes may do so again.) Asleep while all Ms are, as in Go (60 s at most), and only after a
tick in which nothing ran, lest a server that sleeps between two messages wake it every time.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from runtime.asm import lock, setm, trylock, unlock
from runtime.debug import debug
from runtime.gmp import G, M, P, _Gwaiting, foreigngs, sched
from runtime.idle import injectglist, runfinq, wakeparked
from runtime.note import wakelate
from runtime.os_linux import newosproc
from runtime.panic import unowned
from runtime.rawsys import doze, nanotime, sigpending
from runtime.time import runtimers

__all__ = ["forcePreemptNS", "schedtrace", "start", "sysmon"]

forcePreemptNS = 10_000_000  # Go's: the slice of a goroutine
_MINDELAY = 20  # us, Go's
_MAXDELAY = 10_000  # us, Go's
_MARKEVERY = 10_000_000_000  # ns; dumps count minutes
_MAXDOZE = 100_000  # us; while the only M polls within every delay, there is nothing else to look after

starttime = nanotime()


def start() -> None:
    """Start the monitor's thread, unless it runs."""
    lock(sched)
    started = sched.sysmonstarted
    sched.sysmonstarted = True
    unlock(sched)
    if not started:
        try:
            newosproc(_monitor)
        except RuntimeError:  # no more threads now: the next goroutine tries again
            sched.sysmonstarted = False


def _monitor() -> None:
    """The bottom of the monitor's stack. With an M, whose g0 runs nowhere: or else a finalizer that the collector runs
    here could park, as in a thread of the program's."""
    mp = M()
    mp.g0 = G()
    setm(mp)
    try:
        sysmon()
    finally:
        setm(None)


def sysmon() -> None:
    """The monitor's loop, which never ends. Source: Go src/runtime/proc.go sysmon."""
    epoch = sched.forkepoch
    delay = _MINDELAY
    lasttrace = nanotime()
    lastmark = lasttrace
    lastticks = -1
    preempted = False
    while epoch == sched.forkepoch:
        stretch = delay == _MAXDELAY and sched.gomaxprocs == 1 and debug.schedtrace <= 0 and not preempted
        doze(delay, _MAXDOZE if stretch else delay)
        delay = min(2 * delay, _MAXDELAY)
        wakelate()
        now = nanotime()
        if now - lastmark >= _MARKEVERY:
            lastmark = now
            markwaiting(now)
        if sigpending:
            from runtime.signals import resignal

            resignal()
        if debug.schedtrace > 0:
            if now - lasttrace >= debug.schedtrace * 1_000_000:
                lasttrace = now
                schedtrace()
        else:
            ticks = sum(p.schedtick for p in list(sched.allp))
            if ticks == lastticks and allidle():
                _deepsleep()
                delay = _MINDELAY
                lastticks = -1
                continue
            lastticks = ticks
        preempted = False
        try:
            _poll(now)
            if sched.finq:
                runfinq()
            preempted = _retake(now)
        except Exception as exc:  # no memory, say: the monitor must go on
            unowned(exc)


def allidle() -> bool:
    """Whether every M sleeps."""
    return all(m.blocked != 0 for m in list(sched.allm)) and not sched.runq


def _deepsleep() -> None:
    sched.sysmonwait = True
    if allidle():
        sched.sysmonnote.sleep(60_000_000_000)  # as long as Go's at most
    sched.sysmonwait = False


def markwaiting(now: int) -> int:
    """Note in every goroutine that waits, and did not yet when this was last called, that it waits since now."""
    for gp in list(sched.allgs) + foreigngs():
        # Should it be woken and park again in between, it is a mark of the right time all the same.
        if gp.status == _Gwaiting and gp.waitsince == 0:
            gp.waitsince = now
    return 0


def _poll(now: int) -> None:
    """Poll the network if nobody has for more than 10 ms."""
    last = sched.lastpoll
    poller = sched.poller
    if poller is None or last == 0 or now - last <= 10_000_000 or not trylock(poller):
        return
    try:
        glist = poller.netpoll(0)
        sched.lastpoll = nanotime()
    finally:
        unlock(poller)
    wakeparked()
    if glist:
        injectglist(None, glist)


def _retake(now: int) -> bool:
    """Look after the Ps whose Ms run; whether one was newly asked to give way. Source: Go src/runtime/proc.go."""
    stuck = True
    preempted = False
    lock(sched)
    sched.preempt = sched.seeded or sched.bubbles > 0
    unlock(sched)
    for pp in list(sched.allp):
        mp: Any = pp.m
        if pp.timers.minwhen and now - pp.timers.minwhen > forcePreemptNS:
            runtimers(pp.timers, now)
        if mp is None or mp.blocked:
            stuck = False if mp is not None else stuck
            pp.sysmontick = -1
            continue
        if pp.sysmontick != pp.schedtick:
            pp.sysmontick = pp.schedtick
            pp.sysmonwhen = now
            stuck = False
        elif now - pp.sysmonwhen > forcePreemptNS:
            preempted = preempted or not pp.preempt  # not for one that is asked again, and may be stuck for good
            pp.preempt = True
            sched.preempt = True
        else:
            stuck = False
    if stuck and sched.runq:
        from runtime.mthread import overtake

        overtake()
    return preempted


def schedtrace() -> None:
    """Print the scheduler's state on stderr, in Go's line. Source: Go src/runtime/proc.go schedtrace."""
    ps: list[P] = sched.allp[: sched.gomaxprocs]
    ms: list[M] = list(sched.allm)
    idle = sum(1 for p in ps if p.m is None or p.m.blocked != 0)
    threads = len(ms) + len(sched.extram) + 1
    queues = " ".join(str(len(p.runq) + (p.runnext is not None)) for p in ps)
    ticks = " ".join(str(p.schedtick) for p in ps)
    line = (
        f"SCHED {(nanotime() - starttime) // 1_000_000}ms: gomaxprocs={sched.gomaxprocs} idleprocs={idle} "
        f"threads={threads} spinningthreads={sched.nmspinning} needspinning=0 "
        f"idlethreads={sum(1 for m in ms if m.blocked == 2)} runqueue={len(sched.runq)} [ {queues} ] "
        f"schedticks=[ {ticks} ]\n"
    )
    with suppress(Exception):  # where nobody reads it, the monitor goes on all the same
        if sys.stderr is not None:
            sys.stderr.write(line)
            sys.stderr.flush()
