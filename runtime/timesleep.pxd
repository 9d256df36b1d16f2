from runtime.asm cimport lock, unlock
from runtime.gmp cimport G, WaitLock
from runtime.proc cimport goready, gopark
from runtime.rawsys cimport nanotime
from runtime.time cimport modify, stop, timer


cdef class _Sleeper(WaitLock):
    cdef public G gp
    cdef public timer t
    cdef public long long when
