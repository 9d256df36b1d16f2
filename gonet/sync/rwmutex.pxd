from gonet.sync.mutex cimport Mutex
from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, Sched
from runtime.proc cimport checkpreempt, gopark0, goready, raiseinjected
from runtime.sema cimport newwaiter, semaRoot, semaWaiter
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef int waitReasonSyncRWMutexLock, waitReasonSyncRWMutexRLock
cdef long long rwmutexMaxReaders
cdef int _READ, _WRITE


cdef class RWMutex(semaRoot):
    cdef object __weakref__
    cdef public long long readerCount
    cdef public long long readerWait
    cdef public Mutex w
    cdef public semaWaiter writer
    @cython.locals(n="long long")
    cpdef object RLock(self)
    @cython.locals(n="long long", free=bint)
    cpdef bint TryRLock(self) except -1
    @cython.locals(n="long long")
    cpdef object RUnlock(self)
    @cython.locals(n="long long")
    cpdef object Lock(self)
    @cython.locals(free=bint)
    cpdef bint TryLock(self) except -1
    cpdef object Unlock(self)
    @cython.locals(w=semaWaiter)
    cdef int _rlockslow(self) except -1
    @cython.locals(w=semaWaiter, n="long long", left="long long", held=bint)
    cdef int _runlockslow(self) except -1
    @cython.locals(w=semaWaiter)
    cdef int _awaitreaders(self) except -1
    @cython.locals(w=semaWaiter, n=semaWaiter, held=bint)
    cdef bint _release(self, bint early) except -1
    @cython.locals(n="long long", wait=bint, t=semaWaiter)
    cpdef bint enqueue(self, semaWaiter w, G gp, int mode) except -1
    @cython.locals(found=bint, p=semaWaiter, n=semaWaiter)
    cpdef bint leave(self, semaWaiter w) except -1
    cpdef int forked(self) except -1


cdef class rlocker:
    cdef public RWMutex rw
