from runtime.asm cimport callersite, lock, mutex, unlock
from runtime.chan cimport Hchan, selectnbsend, timerchandrain
from runtime.newproc cimport contextcopy, goafter
from runtime.time cimport inittimer, modify, ownclock, runtimeNano, stop, timer
from runtime.timesleep cimport instant, number
cimport cython

cdef mutex _mu


cdef class _chanTimer(timer):
    cdef public object chan  # a Hchan, or a weak reference to one
    cdef public long long last
    cdef public long long settled


cdef class Timer(_chanTimer):
    cdef object __weakref__
    cdef public Hchan C
    cdef public object fn
    cdef public object context
    cdef public object site


cdef class Ticker:
    cdef object __weakref__
    cdef public Hchan C
    cdef public _chanTimer _t


@cython.locals(when="long long", pending=bint, seq="long long")
cdef bint _start(_chanTimer t, Hchan c, double d, long long period) except -1
@cython.locals(pending=bint, seq="long long")
cdef bint _stop(_chanTimer t, Hchan c) except -1
@cython.locals(t=Timer)
cdef Timer _newTimer(object f)
