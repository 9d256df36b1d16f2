from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, WaitLock
from runtime.proc cimport goready, gopark
from runtime.time cimport modify, newtimer, runtimeNano, stop, timer
cimport cython

cdef long long maxWhen


cpdef object number(str what, object x)
@cython.locals(now="long long", ns="long long")
cpdef long long instant(double seconds) except? -1


cdef class _Sleeper(WaitLock):
    cdef public G gp
    cdef public timer t
    cdef public long long when
