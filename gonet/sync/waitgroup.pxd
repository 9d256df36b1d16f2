from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, Sched
from runtime.newproc cimport newproc
from runtime.proc cimport gopark0, goready, raiseinjected
from runtime.sema cimport newwaiter, semaRoot, semaWaiter
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef int waitReasonSyncWaitGroupWait
cdef long long _MAX


cdef class WaitGroup(semaRoot):
    cdef object __weakref__
    cdef public object bubble  # Bubble
    cdef public long long n
    @cython.locals(n="long long", d="long long")
    cpdef object Add(self, object delta)
    @cython.locals(n="long long")
    cpdef object Done(self)
    cpdef object Wait(self)
    @cython.locals(w=semaWaiter, after=semaWaiter, n="long long", good=bint)
    cdef int _addslow(self, long long d) except -1
    @cython.locals(w=semaWaiter)
    cdef int _waitslow(self) except -1
    @cython.locals(wait=bint, t=semaWaiter)
    cpdef bint enqueue(self, semaWaiter w, G gp, int mode) except -1
