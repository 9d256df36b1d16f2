from runtime.asm cimport lock, mutex, unlock
from runtime.gmp cimport Sched
from runtime.sema cimport Sema, semacquire, semrelease
cimport cython

cdef Sched sched

cdef long long mutexClosed, mutexRLock, mutexWLock, mutexRef, mutexRefMask
cdef long long mutexRWait, mutexRMask, mutexWWait, mutexWMask


cdef class fdMutex(mutex):
    cdef public long long state
    cdef public int epoch
    cdef public Sema rsema
    cdef public Sema wsema
    cdef int _reset(self) except -1
    cpdef bint incref(self) except -1
    @cython.locals(state="long long", readers="long long", writers="long long")
    cpdef bint increfAndClose(self) except -1
    cpdef bint markclosed(self) except -1
    @cython.locals(last=bint)
    cpdef bint decref(self) except -1
    @cython.locals(bit="long long", state="long long")
    cpdef bint rwlock(self, bint read) except -1
    @cython.locals(mask="long long", one="long long", state="long long", sema=Sema, fresh=Sema)
    cdef int _wait(self, bint read, long long bit) except -1
    cdef int _leave(self, long long mask, long long one, long long bit, Sema sema) except -1
    @cython.locals(state="long long", wake=bint, last=bint)
    cpdef bint rwunlock(self, bint read) except -1
