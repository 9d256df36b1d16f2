from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, WaitLock
from runtime.proc cimport getg, goready, gopark
cimport cython


cdef class Sema(WaitLock):
    cdef public long long count
    cdef public object waiters


@cython.locals(gp=G)
cpdef int semacquire(Sema s, int reason=*) except -1
@cython.locals(gp=G)
cpdef int semrelease(Sema s) except -1
