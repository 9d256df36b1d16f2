from runtime.asm cimport lock, mutex, unlock
from runtime.gmp cimport G, Sched, WaitLock
from runtime.proc cimport gopark0, goready, raiseinjected
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef int waitReasonSyncCondWait


cdef class semaWaiter(WaitLock):
    cdef public G g
    cdef public semaWaiter next
    cdef public semaWaiter prev
    cdef public semaRoot root
    cdef public long long seq
    cdef public int ticket


cdef class semaRoot(mutex):
    cdef public int epoch
    cdef public semaWaiter head
    cdef public semaWaiter tail
    cdef public long long seq
    @cython.locals(t=semaWaiter)
    cpdef bint enqueue(self, semaWaiter w, G gp, int mode) except -1
    @cython.locals(found=bint, p=semaWaiter, n=semaWaiter)
    cpdef bint leave(self, semaWaiter w) except -1
    cpdef int forked(self) except -1


@cython.locals(w=semaWaiter)
cpdef semaWaiter newwaiter(semaRoot root)


cdef class Sema(semaRoot):
    cdef public long long count
    @cython.locals(t=semaWaiter, wait=bint)
    cpdef bint enqueue(self, semaWaiter w, G gp, int mode) except -1


@cython.locals(got=bint)
cpdef bint cansemacquire(Sema s) except -1
@cython.locals(w=semaWaiter)
cpdef int semacquire(Sema s, int reason=*) except -1
@cython.locals(w=semaWaiter, n=semaWaiter)
cpdef int semrelease(Sema s) except -1


cdef class notifyList(semaRoot):
    @cython.locals(wait=bint)
    cpdef bint enqueue(self, semaWaiter w, G gp, int mode) except -1


@cython.locals(w=semaWaiter, t=semaWaiter)
cpdef semaWaiter notifyListAdd(notifyList l)
cpdef bint notifyListWait(notifyList l, semaWaiter w) except -1
cpdef int notifyListCancel(notifyList l, semaWaiter w) except -1
@cython.locals(gp=G, w=semaWaiter, n=semaWaiter)
cpdef int notifyListNotifyOne(notifyList l) except -1
@cython.locals(gp=G, w=semaWaiter, n=semaWaiter)
cpdef int notifyListNotifyAll(notifyList l) except -1
