"""Ms: the threads that run goroutines, and the foreign threads that call in.

Mirrors the thread half of Go src/runtime/proc.go: newm, mstart, stopm, needm, dropm, procresize, LockOSThread.
Differs: a P is made with its M and stays with it. A P beyond GOMAXPROCS is not taken from its M, since what has run
there is bound to that thread: it drains (mp.stopping) and ends when nothing is bound to it any more. A foreign thread
that calls in gets an extra M, which has no P and runs only the thread's own goroutine: parking it blocks the thread.

When the M of the only P is stuck in code that never parks, what foreign threads start would wait for it: sysmon then
calls overtake, which starts an M beyond GOMAXPROCS for just that work.
"""

from __future__ import annotations

import os
import threading
from _thread import _local, get_ident, get_native_id
from collections.abc import Iterator
from contextlib import suppress
from operator import index
from time import sleep
from typing import Any

from runtime.asm import getcurrent, getm, gogo, lock, newstack, setm, unlock
from runtime.gmp import G, M, P, _Gdead, _Grunning, _Gwaiting, _Pdead, _Pidle, _Prunning, sched
from runtime.idle import idle, wakem, wakeparked
from runtime.newproc import newgoid
from runtime.os_linux import newosproc
from runtime.proc import acquirem, getg, schedloop
from runtime.rawsys import nanotime
from runtime.runq import runqdrain
from runtime.time import timers

__all__ = ["GOMAXPROCS", "LockOSThread", "NumCPU", "UnlockOSThread"]

_STOPPING = 100_000_000  # ns that the end of a program waits for other Ms to come to the scheduler


# ---- g0


def newg0(mp: M) -> G:
    """A g0 for mp, not yet started; it may replace an older one."""
    g0 = G()
    g0.status = _Grunning
    g0.m = mp
    g0.gr = newstack(g0_entry)
    return g0


def g0_entry(ended: Any = None) -> None:
    """The bottom of g0's stack. What is in mp.curg at the first switch is switched back to at once.

    ended is what greenlet hands over from a stack that has ended, if one has before this g0 was needed.
    """
    mp: M = getm()
    mp.nextstack = None
    g0 = mp.g0
    if mp.curg is not None:
        gogo(mp.curg.gr)
    schedloop(mp, mp.p, g0)
    if mp.g0 is not g0:  # replaced: a goroutine's end
        getcurrent().parent = mp.g0.gr  # the one that took its place may have been replaced as well
        g0.status = _Gdead
        mp.nwired -= 1
        sched.allgs.discard(g0)
        mp.curg = None


def startg0(mp: M) -> None:
    """Start g0 now, from the running goroutine mp.curg, so that it inherits little recursion depth."""
    mp.g0 = newg0(mp)
    gogo(mp.g0.gr)


def replaceg0(mp: M) -> G:
    """Make mp's g0, which runs, a goroutine, and give mp a new g0, which the dying stacks of the old one find."""
    old: G = mp.g0
    old.goid = newgoid(mp.p)
    old.wasg0 = True
    mp.nwired += 1
    sched.allgs.add(old)
    g0 = newg0(mp)
    g0.gr.parent = old.gr.parent
    old.gr.parent = g0.gr
    mp.g0 = g0
    mp.curg = old
    if mp.base is not None:
        mp.nextstack = g0.gr
        gogo(mp.base)
    return old


# ---- Ms with a P


def newp() -> P:
    """Append a P to sched.allp. sched must be locked by the caller, or nobody else be there yet."""
    pp = P(len(sched.allp), timers())
    sched.allp.append(pp)
    return pp


def newm(pp: P, stopping: bool) -> None:
    """Start a thread for pp, which has none. Source: Go src/runtime/proc.go newm."""
    mp = M()
    mp.stopping = stopping
    lock(sched)
    if pp.m is not None or (pp.id >= sched.gomaxprocs and not stopping):
        unlock(sched)  # another thread was first, or has lowered GOMAXPROCS
        return
    pp.m = mp
    pp.status = _Prunning
    mp.p = pp
    sched.mnext += 1
    mp.id = sched.mnext
    sched.allm.append(mp)
    unlock(sched)
    try:
        newosproc(_mstart, mp)
    except BaseException:
        _mexit(mp)
        raise


def _mstart(mp: M) -> None:
    """The bottom of an M's thread: starts its stacks, g0 first, all by the one call of gogo that map makes.

    The interpreter, as it is taken apart, ends each thread that wants the GIL by pthread_exit(3) (CPython to 3.13).
    That unwinds the thread's C stack, and what greenlet has in its frames there is freed: those of the running stack,
    and below it, where greenlet thinks of nobody, those of whoever has started it. Had g0 done that it would have gone
    on since, with other things in that place. Here what is found is as it was.
    """
    mp.ident = get_ident()
    setm(mp)
    try:
        mp.base = getcurrent()
        mp.g0 = newg0(mp)
        for _ in map(gogo, _stacks(mp)):
            pass
        gfree = mp.p.gfree
        while gfree:
            gfree.pop().throw()  # ends the stack; on this thread, the only one that may
    finally:
        setm(None)
        _mexit(mp)


def _stacks(mp: M) -> Iterator[Any]:
    """What _mstart is to start, until g0 ends."""
    yield mp.g0.gr
    while mp.nextstack is not None:
        yield mp.nextstack


def _mexit(mp: M) -> None:
    lock(sched)
    pp = mp.p
    pp.m = None
    if pp.status != _Pdead:
        pp.status = _Pidle
    sched.allm.remove(mp)
    unlock(sched)


def wakep() -> int:
    """Have an idle M look for work, or start one for a P that has none; nothing if all are busy."""
    if sched.nmspinning or sched.exiting:
        return 0
    for pp in list(sched.allp):
        mp = pp.m
        if mp is not None and mp.blocked and pp.status != _Pdead:
            sched.nmspinning = 1
            wakem(mp)
            if mp.blocked == 0:
                sched.nmspinning = 0  # it woke by itself, and has looked already
            return 0
    for pp in sched.allp[: sched.gomaxprocs]:
        if pp.m is None:
            with suppress(RuntimeError):  # no more threads: those that run must do
                newm(pp, False)
            return 0
    return 0


def overtake() -> None:
    """Start an M beyond GOMAXPROCS for the global queue; it ends when that is empty and nothing is bound to it."""
    if sched.exiting:
        return
    lock(sched)
    pp = next((p for p in sched.allp[sched.gomaxprocs :] if p.m is None), None) or newp()
    pp.status = _Pidle
    unlock(sched)
    with suppress(RuntimeError):
        newm(pp, True)


def stoptheworld() -> None:
    """At the end of the program: have all Ms but M 0 go to rest, those that come to the scheduler within _STOPPING.

    So that no goroutine sees the interpreter being taken apart, and few threads are ended by force (see _mstart).
    Source: Go src/runtime/proc.go stopTheWorld, whose worldsema is not needed.
    """
    sched.exiting = True
    give_up = nanotime() + _STOPPING
    while any(mp.blocked == 0 and mp is not sched.m0 for mp in list(sched.allm)) and nanotime() < give_up:
        for pp in list(sched.allp):
            if pp.m is not sched.m0:
                pp.preempt = True  # a turn taken in between clears it
        sched.preempt = True
        sleep(0.0005)


def starttheworld() -> None:
    """By M 0, which must wait after stoptheworld: what is registered with atexit before the runtime is called last.

    Source: Go src/runtime/proc.go startTheWorld.
    """
    sched.exiting = False
    for mp in list(sched.allm):
        if mp.blocked == 3:
            mp.park.wakeup()


def GOMAXPROCS(n: int = 0) -> int:
    """Set how many Ps run goroutines at once and return how many did; n < 1 changes nothing. At most 256.

    The default is the environment's GOMAXPROCS, else 1.
    Raises: TypeError, if n is no integer.
    Source: Go src/runtime/debug.go GOMAXPROCS, proc.go procresize.
    """
    n = index(n)
    acquirem()
    lock(sched)
    old = sched.gomaxprocs
    unlock(sched)
    n = min(n, 256)
    if n < 1 or n == old:
        return old
    lock(sched)
    while len(sched.allp) < n:
        newp()
    sched.gomaxprocs = n
    for pp in sched.allp:
        if pp.id < n:
            if pp.m is not None:
                pp.m.stopping = False
            pp.status = _Pidle if pp.m is None else _Prunning
        elif pp.m is not None:
            pp.status = _Pdead
            pp.m.stopping = True
    ms = [pp.m for pp in sched.allp if pp.m is not None]
    unlock(sched)
    for pp in list(sched.allp):
        if pp.status == _Pdead:
            runqdrain(pp)
    for mp in ms:
        wakem(mp)  # to steal, or to see that it is to end
    if n > old and (sched.runq or any(pp.runq for pp in list(sched.allp))):
        wakep()  # what is queued already has woken nobody
    return old


def NumCPU() -> int:
    """How many CPUs this process may use: the size of its affinity mask. Source: Go src/runtime/debug.go NumCPU."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def LockOSThread() -> None:
    """Wire the calling goroutine to its thread until as many UnlockOSThread calls.

    Differs from Go: every goroutine is so wired from its first instruction on, and it does not have the thread to
    itself. Source: Go src/runtime/proc.go LockOSThread.
    """
    getg().lockedExt += 1


def UnlockOSThread() -> None:
    """Undo one LockOSThread; without one it does nothing, as in Go. Source: Go src/runtime/proc.go UnlockOSThread."""
    gp = getg()
    if gp.lockedExt > 0:
        gp.lockedExt -= 1


# ---- foreign threads


class _Dropper:
    """Lives in a thread's locals: when the thread ends, so does its extra M (Go's dropm)."""

    __slots__ = ("mp",)

    def __init__(self, mp: M) -> None:
        self.mp = mp

    def __del__(self) -> None:
        mp = self.mp
        if get_ident() == mp.ident:
            if getm() is mp:
                setm(None)
            mp.curg.status = _Gdead
        if sched.extram.get(mp.ident) is mp:
            del sched.extram[mp.ident]
        # Or else the two would wait for the collector. Not gp.m: who has just readied gp may still be about to wake it.
        mp.curg = None


class _Locals(_local):
    dropper: Any = None


_locals = _Locals()


def needm() -> M:
    """Adopt the calling thread: the main thread as M 0, any other with an extra M.

    Source: Go src/runtime/proc.go needm.
    """
    ident = get_ident()
    if ident == threading.main_thread().ident:
        from runtime.main import adoptmain

        return adoptmain()
    mp = M()
    mp.isextra = True
    mp.ident = ident
    mp.procid = get_native_id()
    gp = G()
    gp.goid = newgoid(None)
    gp.status = _Grunning
    gp.gr = getcurrent()
    gp.m = mp
    mp.curg = gp
    _locals.dropper = _Dropper(mp)
    sched.extram[ident] = mp
    setm(mp)
    if not sched.sysmonstarted:
        from runtime import sysmon

        sysmon.start()
    return mp


def dropdead() -> None:
    """Drop the extra Ms of threads that have ended. Only a dying one needs it.

    When the interpreter clears a thread's locals, _Dropper goes, but what dies after it may call in and adopt the
    thread once more. Nothing tells us of the end of that.
    """
    if not os.access("/proc/self/task", os.F_OK):  # in C: a handler must find no lines of Python to run at here
        return
    for ident, mp in list(sched.extram.items()):
        if not os.access(f"/proc/self/task/{mp.procid}", os.F_OK):
            now = sched.extram.pop(ident, None) if sched.extram.get(ident) is mp else None
            if now is not None and now is not mp:  # a new thread has got its number, and called in meanwhile
                sched.extram[ident] = now


def parkextra(mp: M, gp: G) -> int:
    """Block this foreign thread until gp, its only goroutine, is readied; if nobody polls meanwhile, it does."""
    while gp.status == _Gwaiting:
        idle(mp, None)
    if sched.lastpoll != 0 and not wakeparked():  # nobody polls: another thread that sleeps may have to
        for other in list(sched.extram.values()):
            if other.blocked == 2:
                other.park.wakeup()
                break
    return 0


