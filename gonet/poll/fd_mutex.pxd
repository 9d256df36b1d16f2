from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, Sched, WaitLock
from runtime.proc cimport getg, gopark, goready
cimport cython

cdef Sched sched

cdef long long mutexClosed, mutexRLock, mutexWLock, mutexRef, mutexRefMask
cdef long long mutexRWait, mutexRMask, mutexWWait, mutexWMask
cdef int waitReasonSemacquire


cdef class fdMutex(WaitLock):
    cdef public long long state
    cdef public int epoch
    cdef public object rqueue  # a deque
    cdef public object wqueue
    cdef int _reset(self) except -1
    cpdef bint incref(self) except -1
    @cython.locals(state="long long", gp=G)
    cpdef bint increfAndClose(self) except -1
    cpdef bint markclosed(self) except -1
    @cython.locals(last=bint)
    cpdef bint decref(self) except -1
    @cython.locals(bit="long long", state="long long")
    cpdef bint rwlock(self, bint read) except -1
    @cython.locals(mask="long long", full=bint, gp=G)
    cdef int _wait(self, bint read) except -1
    @cython.locals(bit="long long", mask="long long", one="long long", state="long long", wait=bint)
    cpdef bint unlockf(self, G gp, int mode) except -1
    @cython.locals(found=bint)
    cpdef bint cancelf(self, G gp, int mode) except -1
    @cython.locals(bit="long long", mask="long long", state="long long", gp=G)
    cdef int _passon(self, bint read) except -1
    @cython.locals(state="long long", wake=bint, last=bint, gp=G)
    cpdef bint rwunlock(self, bint read) except -1
