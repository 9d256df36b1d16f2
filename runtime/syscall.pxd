from runtime.asm cimport lock, mutex, unlock
from runtime.gmp cimport G, Sched, WaitLock

cdef Sched sched


cdef class Call(WaitLock):
    cdef public object args
    cdef public object ctx
    cdef public object done
    cdef public object exc
    cdef public object fn
    cdef public object gp
    cdef public object kwargs
    cdef public object result


cdef class _Helpers(mutex):
    cdef public object calls
    cdef public object count
    cdef public object epoch
    cdef public object idle
