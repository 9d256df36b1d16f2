# Compiled so that no signal handler, which may wake one of a bubble's goroutines, runs while the counts change.

from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, Sched, WaitLock
from runtime.proc cimport getg, gopark, goready, inject
from runtime.time cimport runtimers, settle, timers
cimport cython

cdef Sched sched
cdef int _Grunning
cdef int waitReasonSynctestRun, waitReasonSynctestWait
cdef int _ROOT, _WAITER


cdef class bubbletimers(timers):
    pass


cdef class Bubble(WaitLock):
    cdef public long long id
    cdef public long long now
    cdef public timers timers
    cdef public G root
    cdef public G waiter
    cdef public G woken
    cdef public bint waiting
    cdef public bint done
    cdef public long long total
    cdef public long long running
    cdef public long long active
    cdef public object result
    cdef public object exc
    cpdef int join(self, G parent, G gp) except -1
    @cython.locals(wake=G)
    cpdef int exit(self, G gp) except -1
    @cython.locals(p=_parking)
    cpdef WaitLock park(self, G gp, WaitLock wl, int reason)
    cpdef int ready(self, G gp) except -1
    @cython.locals(wake=G)
    cpdef int unpark(self) except -1
    @cython.locals(next="long long")
    cdef G maybewake(self)


cdef class _parking(WaitLock):
    cdef public Bubble bubble
    cdef public WaitLock wl
    @cython.locals(parked=bint)
    cpdef bint unlockf(self, G gp, int mode) except -1
    @cython.locals(won=bint)
    cpdef bint cancelf(self, G gp, int mode) except -1
