"""The scheduler: who runs next on this thread.

Mirrors Go src/runtime/proc.go: gopark, goready, schedule, findrunnable, execute, goexit0, Gosched.
Goroutines are made in newproc; an M that finds none to run sleeps in idle, where it is woken too; threads (needm,
GOMAXPROCS) are in mthread, stealing between Ps in runq.

Design, where it differs from Go
  A goroutine that parks looks for the next one itself, on its own stack, and switches straight to it; if its own
  turn comes up first there is no switch at all. Only two things are done on g0's stack: starting a fresh stack (one
  started from a goroutine would inherit that one's recursion depth; see _malg) and sleeping (a Python signal handler
  runs where the sleep is interrupted, and must find a stack that may be blocked).
  The stacks of finished goroutines are kept: one whose goroutine has ended takes the next new goroutine in place.
  A goroutine belongs to the first M that runs it. Whoever readies it puts it on that M's P, from whatever thread.
  Gosched puts its goroutine at the tail of the local queue, since the global one holds only what belongs to nobody.

The hand-over in schedule, in steps
  1. the caller has left its G _Gwaiting or _Grunnable in somebody's hands
  2. the next one is in runnext or the local queue; else, or when more than these two has its turn, findrunnable looks,
     with mp.curg None and without sleeping: timers, runnext, the local queue, the global one, the poller, other Ps
  3. nothing: switch to g0, which sleeps (idle) and comes back to step 2
     a new G: it gets a spare stack, or else g0 starts one
     otherwise: execute it and switch
  The stack that is left behind holds a reference to the next one, which may end meanwhile; so spare stacks may hold
  each other, and are ended one by one when their M is (_mstart).
"""

from __future__ import annotations

import sys
from time import sleep
from typing import Any, NoReturn

from runtime.asm import (
    curcontext,
    curstack,
    getcurrent,
    getm,
    gogo,
    invoke,
    lock,
    newstack,
    ownstack,
    smallstack,
    unlock,
)
from runtime.gmp import (
    G,
    M,
    P,
    WaitLock,
    _Gdead,
    _Grunnable,
    _Grunning,
    _Gwaiting,
    _Pdead,
    sched,
    waitReasonGoexit,
)
from runtime.idle import idle, pollonce, readyelsewhere, runfinq, wakem, wakep
from runtime.panic import Error, GoexitException, fatal, report, throw
from runtime.rawsys import compiled, nanotime, sigpending
from runtime.runq import runqsteal
from runtime.schedseed import coin, pick
from runtime.time import runtimers, timers

__all__ = ["Goexit", "Gosched", "NumGoroutine", "getg", "gopark", "gopark0", "goready", "inject", "raiseinjected"]

_GFREE = 512  # spare stacks a P keeps; beyond, they are freed (each holds 6 KB)
_BREATHE = 10_000_000  # ns between two pauses that a busy M makes, uncompiled
_DEPTH = 40  # calls, one in the other, that the scheduler makes on the stack of who gives way; with some to spare


# ---- parking and readying


def getg() -> G:
    """The calling goroutine; on g0 (in a signal handler that interrupted the scheduler's sleep) that of g0."""
    mp: Any = getm()
    if mp is None:
        mp = _needm()
    gp: G = mp.g0 if mp.curg is None else mp.curg
    return gp


def acquirem() -> M:
    """The calling thread's M, made on the first call from a thread the runtime has not seen."""
    mp: Any = getm()
    return _needm() if mp is None else mp


def _needm() -> M:
    from runtime.mthread import needm

    return needm()


def gopark(wl: WaitLock, reason: int, mode: int) -> int:
    """Park the calling goroutine until goready; parks the thread if it is a foreign one.

    wl.unlockf(g, mode) is called once the goroutine may be readied; if it returns false the park is off.
    wl.cancelf(g, mode) is called, from any thread, to raise an exception in g: it must take g from whoever would
    ready it and return true, or return false because that one is about to. The caller holds no lock, expects an
    exception here (SystemExit or KeyboardInterrupt for main, a deadlock's Error), and then leaves nothing behind.

    Source: Go src/runtime/proc.go gopark; wl is its unlockf and lock.
    """
    if gopark0(wl, reason, mode):
        raiseinjected()
    return 0


def gopark0(wl: WaitLock, reason: int, mode: int) -> bool:
    """gopark for a caller that cannot afford a try: True if it must leave nothing behind and call raiseinjected."""
    mp: Any = getm()
    if mp is None:
        mp = _needm()
    gp = mp.curg
    if gp is None or gp.status != _Grunning:
        gp = _adoptg0(mp)
        if gp is None:
            return True
    if gp.injected is not None:
        return True
    gp.waitreason = reason
    gp.waitmode = mode
    gp.waitlock = wl
    gp.waitsince = 0
    if gp.bubble is not None:
        wl = _bubblepark(gp, wl, reason, mode)
    gp.status = _Gwaiting
    if not wl.unlockf(gp, mode):
        gp.status = _Grunning
    elif gp.injected is not None and wl.cancelf(gp, mode):  # type: ignore[unreachable]
        # injected from another thread before it could see what to cancel
        gp.status = _Grunning  # type: ignore[unreachable]
    elif mp.p is None:
        _parkextra(mp, gp)
        gp.status = _Grunning
    else:
        schedule(mp, gp)
    gp.waitlock = None
    if gp.wasg0:  # below us is a sleep that the interpreter resumes by itself
        if sched.poller is not None:  # in a forked child there need be none yet
            sched.poller.netpollBreak()
        mp.park.wakeup()
    return gp.injected is not None


def _bubblepark(gp: G, wl: WaitLock, reason: int, mode: int) -> WaitLock:
    """What gp, of a bubble, is to park on in place of wl. A finalizer may run, and park: all is noted once more."""
    stand: WaitLock = gp.bubble.park(gp, wl, reason)
    gp.waitreason = reason
    gp.waitmode = mode
    gp.waitlock = wl
    gp.waitsince = 0
    return stand


def raiseinjected() -> NoReturn:
    """Raise what was injected into the calling goroutine, of which gopark0 has told."""
    mp = acquirem()
    exc = mp.refused
    if exc is None:
        _raise_injected(getg())
    mp.refused = None
    try:
        raise exc
    finally:
        exc = None  # the traceback holds this frame


def _raise_injected(gp: G) -> NoReturn:
    exc = gp.injected
    gp.injected = None
    try:
        raise exc
    finally:
        exc = None  # the traceback holds this frame


def _adoptg0(mp: M) -> Any:
    """Make g0 an ordinary goroutine, since code on its stack wants to park, and give the M another g0.

    Where a goroutine is about to be left, or between two on another stack, the park fails, with an Error for
    raiseinjected: None.
    """
    if mp.curg is not None or getcurrent() is not mp.g0.gr:
        mp.refused = Error("cannot block: a finalizer or a callback that runs in the middle of the scheduler")
        return None
    from runtime.mthread import replaceg0

    return replaceg0(mp)


def _parkextra(mp: M, gp: G) -> int:
    """Block a foreign thread until gp, its only goroutine, is readied. It polls if nobody else does."""
    from runtime.mthread import parkextra

    return parkextra(mp, gp)


def goready(gp: G) -> int:
    """Make a parked goroutine runnable; on its own M it runs next. From any thread; the caller owns the wake-up.

    Source: Go src/runtime/proc.go goready.
    """
    if gp.status != _Gwaiting:
        throw("bad g->status in ready")
    if gp.bubble is not None:
        gp.bubble.ready(gp)
    mp: Any = getm()
    gp.status = _Grunnable
    if gp.m is mp and mp.p is not None:
        pp: P = mp.p
        if pp.runnext is None:
            pp.runnext = gp
        else:
            runqput(pp, gp, True)
        if mp.blocked:
            wakem(mp)  # called by a signal handler that has interrupted the sleep
    else:
        readyelsewhere(gp)
    return 0


def inject(gp: G, exc: BaseException) -> int:
    """Raise exc in gp where it parks, or at its next park. From any thread. The first of several counts."""
    if gp.injected is None:
        gp.injected = exc
    wl = gp.waitlock
    if gp.status == _Gwaiting and wl is not None and wl.cancelf(gp, gp.waitmode):
        goready(gp)
    return 0


def Gosched() -> None:
    """Let every other runnable goroutine of this P have a turn first. Source: Go src/runtime/proc.go Gosched."""
    gp = goyield()
    if gp is not None and gp.injected is not None:
        _raise_injected(gp)


def goyield() -> Any:
    """Gosched for who must not raise here: an injected exception waits for the next park. The goroutine, if it yielded.

    Source: Go src/runtime/proc.go goyield.
    """
    mp: Any = getm()
    if mp is None:
        mp = _needm()
    gp = mp.curg
    if mp.p is None or gp is None or gp.status != _Grunning:
        return None  # a foreign thread has no others; in a signal handler on g0, or a finalizer, the others wait for it
    pp = mp.p
    gp.status = _Grunnable
    if pp.preempt and pp.runnext is not None and not sched.seeded:
        pp.runq.append(pp.runnext)  # before us: the slice is spent, and findrunnable would put it behind
        pp.runnext = None
    pp.runq.append(gp)
    schedule(mp, gp)
    return gp


def checkpreempt() -> int:
    """Gosched if the slice of 10 ms is spent: what calls that never park (I/O that succeeds at once) must do.

    To be called if sched.preempt, and before anything is done that an injected exception would undo. Under
    GODEBUG=schedseed these are the points at which a goroutine may give way.
    """
    mp: Any = getm()
    if mp is not None and mp.p is not None and mp.p.preempt and mp.curg is not None:
        if not compiled and not _room(_DEPTH):
            return 0  # a later call, higher up the stack, will do
        if not sched.seeded or coin():
            Gosched()
    if not sched.seeded and sched.bubbles == 0:
        resetpreempt()
    return 0


def _room(n: int) -> bool:
    """Whether n more calls would not reach the end of the stack, in the uncompiled form: C's are not counted.

    A RecursionError in the middle of the scheduler would leave the thread without a running goroutine.
    """
    try:
        return n == 0 or _room(n - 1)
    except RecursionError:
        return False


def resetpreempt() -> int:
    """Clear sched.preempt, which slows every call down, if no slice is spent any more.

    What sysmon sets at the same moment may be lost: it sets it again.
    """
    lock(sched)
    sched.preempt = sched.seeded or sched.bubbles > 0
    unlock(sched)
    for pp in sched.allp:
        mp: Any = pp.m
        if pp.preempt and mp is not None and not mp.blocked:
            sched.preempt = True
    return 0


# ---- choosing the next


def schedule(mp: M, gp: G) -> int:
    """Run others until gp, which calls this on its own stack, is run again. Source: Go src/runtime/proc.go."""
    pp = mp.p
    if curstack() is not gp.gr:
        return _moved(mp, gp)
    ts: timers = pp.timers
    # The way of every message in line: what findrunnable comes to, and execute.
    nextg = None
    if ts.minwhen == 0 and not pp.preempt and pp.schedtick % 61 != 0:
        if pp.runnext is not None:
            nextg = pp.runnext
            pp.runnext = None
            pp.inherit = True
        elif pp.runq and pp.status != _Pdead:
            nextg = pp.runq.popleft()
            pp.inherit = False
    if nextg is None:
        mp.curg = None
        nextg = findrunnable(mp, pp)
    if nextg is None:
        stack = mp.g0.gr
    elif nextg.gr is not None or gfget(mp, pp, nextg):
        if not pp.inherit:
            pp.schedtick += 1
            pp.preempt = False
        nextg.status = _Grunning
        mp.curg = nextg
        if nextg is gp:
            return 0
        stack = nextg.gr
    else:
        mp.nextg = nextg
        mp.curg = None
        stack = mp.g0.gr
    nextg = None
    gogo(stack)
    if mp.curg is not gp:
        _stray()
    return 0


def _moved(mp: M, gp: G) -> int:
    """schedule for a goroutine that is on another stack than when it last parked: a greenlet of the program's own."""
    was = gp.gr  # until gp runs again: it may be the last reference, and a finalizer may park
    gp.gr = curstack()
    schedule(mp, gp)
    del was
    return 0


def execute(mp: M, pp: P, gp: G) -> int:
    """Mark gp as running on mp. A goroutine taken from runnext shares its waker's slice, as in Go."""
    if not pp.inherit:
        pp.schedtick += 1
        pp.preempt = False
    gp.status = _Grunning
    mp.curg = gp
    return 0


def findrunnable(mp: M, pp: P) -> Any:
    """A goroutine to run, found without sleeping, or None. Source: Go src/runtime/proc.go findRunnable."""
    ts: timers = pp.timers
    if ts.minwhen != 0:
        now = nanotime()
        if ts.minwhen <= now:
            runtimers(ts, now)
    pp.inherit = False
    if pp.preempt or pp.schedtick % 61 == 0:  # Go's prime, which falls in step with nothing; no name: C divides slowly
        if sigpending and mp is sched.m0:
            return None  # for g0, which runs the handlers: else those who are always busy would put them off for ever
        if sched.exiting and mp is not sched.m0:
            return None  # for g0, which stays there
        pp.schedtick += 1
        if pp.runnext is not None and pp.preempt and not sched.seeded:  # two that wake each other keep nobody out
            pp.runq.append(pp.runnext)
            pp.runnext = None
        if sched.poller is not None:
            pollonce(mp)
            if not compiled:
                _breathe()
        if sched.finq:
            runfinq()
        if sched.seeded:
            gp = pick(pp)
            if gp is not None:
                return gp
        if sched.runq and pp.status != _Pdead:
            gp = sched.runq.get()
            if gp is not None:
                return gp
    gp = pp.runnext
    if gp is not None:
        pp.runnext = None
        pp.inherit = not pp.preempt
        return gp
    if pp.runq:
        gp = pp.runq.popleft()
        if gp is not None:
            if gp.m is not None or pp.status != _Pdead:
                return gp
            gp = _undead(pp, gp)
            if gp is not None:
                return gp
    if sched.runq and pp.status != _Pdead:
        gp = sched.runq.get()
        if gp is not None:
            return gp
    if sched.poller is not None:
        pollonce(mp)
        gp = pp.runq.get()
        if gp is not None:
            return gp
    if sched.gomaxprocs > 1 and not mp.stopping:
        return runqsteal(pp)
    return None


def _breathe() -> None:
    """Uncompiled, in a busy scheduler: give a thread that waits for the GIL the time to take it.

    The polls let go of it too, but for so short a moment that such a thread comes too late; and its wait, which after
    5 ms would end in a request, begins anew with each of them. It could go on for seconds.
    """
    global _breath
    now = nanotime()
    if now - _breath > _BREATHE:
        _breath = now
        sleep(0.00001)


_breath = 0


def runqput(pp: P, gp: G, next: bool) -> int:
    """Queue gp on pp, which is the caller's: before all others if next. Source: Go src/runtime/proc.go."""
    if next:
        old = pp.runnext
        pp.runnext = gp
        if old is None:
            return 0
        gp = old
    pp.runq.append(gp)
    return 0


def _undead(pp: P, gp: G) -> Any:
    """From the queue of a retired P, whose head was gp: the first that is bound to its M, or None.

    What comes before goes to the other Ps: this one may be about to end, and nobody would look here again.
    """
    while gp is not None and gp.m is None:
        sched.runq.append(gp)
        gp = pp.runq.get()
    wakep()
    return gp


def gfget(mp: M, pp: P, gp: G) -> bool:
    """Give a new goroutine a spare stack; False if there is none. Source: Go src/runtime/proc.go gfget."""
    if gp.m is None:
        gp.m = mp
        mp.nwired += 1
    if not pp.gfree:
        return False
    gp.gr = pp.gfree.pop()
    return True


# ---- starting and ending


def _malg(mp: M) -> Any:
    """A new stack, for g0: one that has got as far as goroutine_entry, where g0 is not to start it (see _mstart).

    Source: Go src/runtime/proc.go malg.
    """
    stack = newstack(goroutine_entry)
    if mp.base is not None:
        mp.starter = getcurrent()
        mp.nextstack = stack
        gogo(mp.base)
    return stack


def goroutine_entry() -> int:
    """The bottom of every stack but g0's and main's: runs the M's current goroutine, then others in its place."""
    mp: Any = getm()
    if mp.nextstack is not None:  # started by _mstart, for who is in _malg
        starter = mp.starter
        mp.starter = None
        mp.nextstack = None
        gogo(starter)
        starter = None
    gp: Any = mp.curg
    stack = gp.gr
    smallstack()
    while gp is not None:
        ownstack(stack)
        if gp.ctx is not None:
            stack.gr_context = gp.ctx
            gp.ctx = None
        elif curcontext() is not None:  # set by a finalizer, after the last goroutine here had ended
            stack.gr_context = None
        fn = gp.fn
        args = gp.args
        kwargs = gp.kwargs
        gp.fn = None
        gp.args = None
        gp.kwargs = None
        exc = invoke(fn, args, kwargs)
        if mp.curg is not gp:
            _stray()
        fn = None
        args = None
        kwargs = None
        if exc is not None:
            gopanic(gp, exc)
            exc = None
        if gp is sched.maing:
            _childexit(gp, 0)
        gp = None  # a spare stack keeps nothing alive
        gp = goexit0(mp, stack)
    return 0


def _stray() -> None:
    """A parked goroutine goes on though nobody has readied it: two run as one from here on, and nothing would hold."""
    why = "runtime: the program has called switch or throw of a greenlet that belongs to a parked goroutine"
    fatal(why, "stray switch")


def gopanic(gp: G, exc: BaseException) -> None:
    """What becomes of an exception that has left gp's function."""
    if isinstance(exc, GoexitException):
        return
    from runtime.main import exitmain

    if not isinstance(exc, (SystemExit, KeyboardInterrupt)):
        try:
            report(gp, exc)
        except BaseException as err:  # of the hook: an exit, or an interrupt
            exc = err
    if isinstance(exc, (SystemExit, KeyboardInterrupt)):
        exitmain(gp, exc)
    if gp is sched.maing:
        _childexit(gp, 1)


def _childexit(gp: G, status: int) -> None:
    """The main goroutine of a forked child that was not its parent's has ended: so does the child."""
    from runtime.main import childexit

    childexit(status)


def goexit0(mp: M, stack: Any) -> Any:
    """End the running goroutine; the next goroutine for its stack, or None if the stack is to end as well.

    Source: Go src/runtime/proc.go goexit0.
    """
    stack.gr_context = None  # first: what is dropped with it may have finalizers, which may park
    gp = mp.curg
    gp.status = _Gdead
    gp.gr = None
    gp.m = None
    gp.injected = None
    mp.nwired -= 1
    sched.allgs.discard(gp)
    if gp.bubble is not None:
        gp.bubble.exit(gp)
    pp = mp.p
    mp.curg = None
    gp = None
    nextg = findrunnable(mp, pp)
    if nextg is not None and nextg.gr is None:
        if nextg.m is None:
            nextg.m = mp
            mp.nwired += 1
        nextg.gr = stack
        execute(mp, pp, nextg)
        return nextg
    if len(pp.gfree) >= _GFREE or mp.stopping:
        mp.nextg = nextg
        stack.parent = mp.g0.gr  # it may have been started by an earlier g0
        return None
    pp.gfree.append(stack)
    if nextg is not None:
        execute(mp, pp, nextg)
    nextg = None
    gogo(mp.g0.gr if mp.curg is None else mp.curg.gr)
    if mp.curg is None or mp.curg.gr is not stack:
        _stray()
    return mp.curg


def schedloop(mp: M, pp: P, g0: G) -> int:
    """The body of g0: starts stacks, and sleeps when nobody can run. Ends when g0 was replaced or its M is to end."""
    looked = mp is sched.m0  # whoever switches here with no nextg has looked; a new thread has not
    while mp.g0 is g0:
        gp = mp.nextg
        if gp is not None:
            mp.nextg = None
        else:
            if looked:
                try:
                    idle(mp, pp)
                except BaseException as exc:
                    _idlefailed(g0, exc)
                if g0 is sched.maing:
                    _childexit(g0, 0)  # a child that a signal's handler has forked, which has returned
                if mp.g0 is not g0:
                    break
            looked = True
            if sched.exiting and mp is not sched.m0:
                _rest(mp)
            gp = findrunnable(mp, pp)
            if gp is None:
                if mp.stopping and mp.nwired == 0:
                    break
                continue
            if sched.gomaxprocs > 1 and (pp.runq or sched.runq):
                wakep()  # more than this M can do at once
        if gp.gr is None and not gfget(mp, pp, gp):
            gp.gr = _malg(mp)
            if mp.g0 is not g0:  # a finalizer has parked meanwhile: this is a goroutine, whose end is near
                mp.nextg = gp
                break
        execute(mp, pp, gp)
        gp = None
        gogo(mp.curg.gr)
    return 0


def _rest(mp: M) -> None:
    """On g0: stay here until the process ends (stoptheworld), or is found to go on (starttheworld)."""
    mp.blocked = 3
    while sched.exiting:
        mp.park.sleep(-1)
    mp.blocked = 0


def _idlefailed(g0: G, exc: BaseException) -> None:
    """A signal handler raised while the M slept: the exception is main's."""
    from runtime.main import exitmain

    if g0 is sched.maing and not isinstance(exc, (SystemExit, KeyboardInterrupt)):
        sys.excepthook(type(exc), exc, exc.__traceback__)
    exitmain(g0 if g0 is sched.maing else None, exc)


def Goexit() -> NoReturn:
    """End the calling goroutine: its finally blocks run, and nothing is reported.

    In the main goroutine the others go on; when they have ended the program fails with
    `no goroutines (main called runtime.Goexit) - deadlock!`.  Source: Go src/runtime/panic.go Goexit.
    """
    if getg() is sched.maing:
        from runtime.main import hookmainexit

        hookmainexit()
    raise GoexitException


def parkforever(reason: int = waitReasonGoexit) -> None:
    """Park with nobody to ready this goroutine; only an injected exception ends it."""
    gopark(WaitLock(), reason, 0)


def NumGoroutine() -> int:
    """How many goroutines there are, main included. Source: Go src/runtime/debug.go NumGoroutine."""
    acquirem()
    return len(sched.allgs)
