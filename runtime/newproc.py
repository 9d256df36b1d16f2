"""Making goroutines.

Mirrors newproc and newproc1 of Go src/runtime/proc.go. Differs: a new G has no stack, which the M that runs it first
gives it; on a P it goes to runnext only if there is no other P that could take it from the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.asm import callersite, curcontext, getm, lock, unlock
from runtime.gmp import G, _Grunnable, _Pdead, sched
from runtime.idle import wakem, wakep
from runtime.proc import acquirem, runqput

__all__ = ["contextcopy", "go", "goafter", "newgoid", "newproc"]

_GOIDBATCH = 16  # Go's _GoidCacheBatch


def go(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> G:
    """Start fn(*args, **kwargs) as a goroutine and return it. From any thread; does not switch.

    It starts in a copy of the caller's contextvars context. Its result is dropped; an exception ends it and goes to
    the panic hook.  Raises: TypeError, if fn is not callable.  Source: Go src/runtime/proc.go newproc.
    """
    return newproc(fn, args, kwargs)


def newproc(fn: Any, args: Any, kwargs: Any) -> G:
    """Queue a goroutine that calls fn(*args, **kwargs). From any thread. Source: Go src/runtime/proc.go newproc."""
    if not callable(fn):
        raise TypeError(f"go: {type(fn).__name__!r} object is not callable")
    return newproc1(acquirem(), fn, args, kwargs, callersite(), contextcopy())


def goafter(fn: Any, site: Any, ctx: Any) -> G:
    """newproc for a timer: started at the place `site`, in the context ctx. From any thread, sysmon's too."""
    return newproc1(getm(), fn, (), None, site, ctx)


def newproc1(mp: Any, fn: Any, args: Any, kwargs: Any, site: Any, ctx: Any) -> G:
    """newproc on the M mp, which is None on a thread of the runtime's own. Source: Go src/runtime/proc.go newproc1."""
    pp: Any = None
    gp = G()
    gp.fn = fn
    gp.args = args
    if kwargs:
        gp.kwargs = kwargs
    gp.gopc = site
    gp.ctx = ctx
    if mp is not None:
        pp = mp.p
        if mp.curg is not None:
            gp.parentgoid = mp.curg.goid
            if mp.curg.bubble is not None:
                mp.curg.bubble.join(mp.curg, gp)
    gp.goid = newgoid(pp)
    gp.status = _Grunnable
    sched.allgs.add(gp)
    if pp is not None and pp.status != _Pdead:
        # runnext cannot be stolen, so a new goroutine goes there only if there is nobody to steal
        runqput(pp, gp, sched.gomaxprocs == 1)
        if mp.blocked:
            wakem(mp)  # called by a signal handler that has interrupted the sleep
        if sched.gomaxprocs > 1:
            wakep()
    else:
        sched.runq.append(gp)
        wakep()
    if not sched.sysmonstarted:
        _startsysmon()
    return gp


def newgoid(pp: Any) -> int:
    """A goroutine number never used before. Source: Go src/runtime/proc.go newproc1, goidcache."""
    if pp is None:
        lock(sched)
        sched.goidgen += 1
        id = sched.goidgen
        unlock(sched)
        return id
    if pp.goidcache == pp.goidcacheend:
        lock(sched)
        pp.goidcache = sched.goidgen
        sched.goidgen += _GOIDBATCH
        unlock(sched)
        pp.goidcacheend = pp.goidcache + _GOIDBATCH
    pp.goidcache += 1
    goid: int = pp.goidcache
    return goid


def contextcopy() -> Any:
    """A copy of the caller's contextvars context, None if it has none: an empty one costs a goroutine nothing."""
    ctx = curcontext()
    return None if ctx is None or not len(ctx) else ctx.copy()


def _startsysmon() -> None:
    from runtime.sysmon import start

    start()
