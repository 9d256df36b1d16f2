from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, Sched
from runtime.proc cimport checkpreempt, gopark0, goready, goyield, raiseinjected
from runtime.rand cimport cheaprandn
from runtime.rawsys cimport nanotime
from runtime.sema cimport newwaiter, semaRoot, semaWaiter
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef int waitReasonSyncMutexLock
cdef long long mutexLocked, mutexWoken, mutexStarving, _WAITER, starvationThresholdNs
cdef int _WOKEN, _GIVEN, _TOOK, _AGAIN, _STARVING


cdef class Mutex(semaRoot):
    cdef object __weakref__
    cdef public long long state
    @cython.locals(state="long long")
    cpdef object Lock(self)
    @cython.locals(state="long long", free=bint)
    cpdef bint TryLock(self) except -1
    @cython.locals(state="long long")
    cpdef object Unlock(self)
    @cython.locals(w=semaWaiter, start="long long", mode=int, late=bint)
    cdef object _lockslow(self)
    @cython.locals(state="long long", wait=bint, t=semaWaiter, n=semaWaiter)
    cpdef bint enqueue(self, semaWaiter w, G gp, int mode) except -1
    @cython.locals(found=bint, p=semaWaiter, n=semaWaiter)
    cpdef bint leave(self, semaWaiter w) except -1
    @cython.locals(state="long long", held=bint, give=bint, w=semaWaiter, n=semaWaiter)
    cdef int _unlockslow(self) except -1
    @cython.locals(state="long long", w=semaWaiter, n=semaWaiter)
    cdef int _wakenext(self) except -1
    cpdef int forked(self) except -1
