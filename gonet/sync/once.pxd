from gonet.sync.mutex cimport Mutex
from runtime.gmp cimport Sched
from runtime.proc cimport getg

cdef Sched sched


cdef class Once:
    cdef object __weakref__
    cdef public bint done
    cdef public Mutex m
    cpdef object Do(self, object f)
    cdef int _doslow(self, object f) except -1


cdef class oncecall:
    cdef object __weakref__
    cdef public bint done
    cdef public bint keep
    cdef public bint traced
    cdef public object exc
    cdef public object f
    cdef public object value
    cdef public Mutex m
    cdef int _first(self) except -1
    cdef int _call(self) except -1
    cdef object _again(self)
