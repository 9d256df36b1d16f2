from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, WaitLock
from runtime.proc cimport goready, gopark
from runtime.time cimport modify, newtimer, runtimeNano, stop, timer

cdef long long maxWhen


cpdef long long instant(double seconds) except? -1


cdef class _Sleeper(WaitLock):
    cdef public G gp
    cdef public timer t
    cdef public long long when
