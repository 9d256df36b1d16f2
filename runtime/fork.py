"""What os.fork leaves of the runtime: in the parent everything, in the child the forking goroutine.

Go has no fork. Here it must work, since Python programs use it (multiprocessing, pre-forking servers). The child's
other threads are gone, and its other goroutines must not run: they are kept, as ghosts, for freeing them would unwind
them. The kernel shares an epoll instance between parent and child, so the child makes its own and registers its
descriptors anew, once it polls. A mutex that a thread held which is no more is free (runtime.asm). What parks who waits
for it, in sema and above the runtime (fdMutex), sees by sched.forkepoch that holders and waiters are gone.
"""

from __future__ import annotations

import os
import sys
from _thread import _count, get_ident
from collections import deque
from typing import Any

from runtime import mthread
from runtime.asm import afterfork as asmafterfork
from runtime.asm import getm, gqueue, setm
from runtime.chan import afterfork as chanafterfork
from runtime.gmp import G, M, P, _Prunning, foreigngs, sched
from runtime.main import bindm0
from runtime.netpoll import PollDesc, pollcache
from runtime.note import note
from runtime.pollcodes import rnNone
from runtime.rawsys import nanotime, sigpending
from runtime.time import timers

__all__ = ["install"]

_ghosts: list[Any] = []  # what the parent's goroutines are held by in a child
_foreign: dict[int, list[G]] = {}  # by forking thread: the foreign ones' goroutines, which extram may lose meanwhile


def install() -> None:
    """Have forked children set right."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_beforefork, after_in_parent=_afterinparent, after_in_child=afterfork)


def _beforefork() -> None:
    _foreign[get_ident()] = foreigngs()


def _afterinparent() -> None:
    _foreign.pop(get_ident(), None)


def afterfork() -> None:
    """In the child, on its only thread, before anything else of the program runs."""
    asmafterfork()
    mp: M = getm()
    sched.forkepoch += 1
    _ghosts.append((sched.allgs, sched.allm, sched.allp, sched.extram, sched.runq, sched.maing))
    mine = None if mp is None else mp.curg
    foreign = _foreign.get(get_ident(), [])
    chanafterfork([gp for gp in [*sched.allgs, *foreign] if gp is not mine])
    _ghosts.append(_foreign.copy())
    _foreign.clear()
    sched.extram = {}
    sched.runq = gqueue()
    sched.finq = deque()
    sigpending.clear()  # the parent's
    # CPython goes on counting the threads that are not here, and the one that is, if it was started as a thread: it is
    # M 0 now. The program's are those that it starts from here on, or has started in hooks that came before this one.
    sched.own_threads = _count() - (len(sys._current_frames()) - 1)
    sched.own_starting = 0
    sched.nsyscall = 0
    sched.bubbles = 0  # their roots are not here
    sched.nmspinning = 0
    sched.iowitness = None
    sched.recheck = False
    sched.exiting = False
    sched.sysmonstarted = False
    sched.sysmonwait = False
    sched.sysmonnote = note()
    poller = sched.poller
    sched.poller = None
    sched.lastpoll = nanotime()
    if poller is not None:
        poller.close()
    _resetpolldescs()
    sched.allgs = set()
    n = len(sched.allp)
    if mp is not None and mp.p is not None:
        _keepm(mp)
    else:
        _newm0()
    while len(sched.allp) < min(n, sched.gomaxprocs):
        mthread.newp()


def _keepm(mp: M) -> None:
    """The forking thread is an M: it becomes M 0, with its P, its g0 and its spare stacks."""
    pp: P = mp.p
    gp: G = mp.g0 if mp.curg is None else mp.curg
    mp.id = 0
    mp.ident = get_ident()
    mp.stopping = False
    mp.blocked = 0
    mp.nextg = None
    mp.refused = None
    mp.nwired = 1
    if mp.curg is None:
        mp.park.wakeup()  # the handler that forks has interrupted a sleep, or what leads to one
    mp.park = note()
    pp.id = 0
    pp.status = _Prunning
    pp.preempt = sched.seeded
    pp.runnext = None
    pp.runq = gqueue()
    pp.timers = timers()
    sched.m0 = mp
    sched.allm = [mp]
    sched.allp = [pp]
    sched.maing = gp
    sched.allgs.add(gp)
    gp.injected = None
    gp.bubble = None  # the rest of it is not here


def _newm0() -> None:
    """The forking thread had no P: it is adopted as any main thread."""
    setm(None)
    mthread._locals.dropper = None
    mp = M()
    sched.m0 = mp
    sched.allm = [mp]
    sched.allp = []
    mthread.newp().status = _Prunning
    bindm0(mp)


def _resetpolldescs() -> None:
    """Nobody waits any more and no deadline is set; the descriptors are registered again by the new poller."""
    for pd in pollcache.all:
        if pd is None:
            continue
        d: PollDesc = pd
        d.rg = None
        d.wg = None
        d.rbuf = None
        d.rn = rnNone
        d.rt = None
        d.wt = None
        d.rd = 0 if d.rd > 0 else d.rd
        d.wd = 0 if d.wd > 0 else d.wd
        d.rseq += 1
        d.wseq += 1
