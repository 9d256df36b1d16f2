from runtime.asm cimport getm, lock, mutex, unlock
from runtime.gmp cimport G, M, P, Sched
from runtime.rawsys cimport nanotime
cimport cython

cdef Sched sched
cdef int _Grunning


cdef class timers(mutex):
    cdef public long long epoch
    cdef public list heap
    cdef public tuple last
    cdef public long long minwhen
    cdef public list spare
    cdef public long long running
    cdef public long long zombies


cdef class timer:
    cdef public object f
    cdef public object arg
    cdef public long long seq
    cdef public long long when
    cdef public long long period
    cdef public long long entrywhen
    cdef public long long serial
    cdef public timers ts


@cython.locals(mp=M, pp=P)
cpdef int inittimer(timer t, object f, object arg) except -1
@cython.locals(t=timer)
cpdef timer newtimer(object f, object arg)
cpdef int ownclock(timer t) except -1
cpdef long long runtimeNano() except? -1
cpdef long long realtime(long long when) except? -1
@cython.locals(mp=M, gp=G)
cpdef object curbubble()
@cython.locals(mp=M, pp=P, ts=timers)
cdef timers _moved(timer t)
@cython.locals(when="long long", before=tuple)
cdef int _push(timers ts, timer t, tuple e) except -1
@cython.locals(e=tuple)
cpdef int settle(timers ts) except -1
@cython.locals(e=tuple)
cdef int _least(timers ts) except -1
@cython.locals(e=tuple, t=timer, keep=list, old=list)
cdef object _clean(timers ts)
cdef int _cleaned(timers ts, list old) except -1
@cython.locals(ts=timers, early=bint, pending=bint, e=tuple, old=object)
cpdef bint modify(timer t, long long when, long long period, object arg, long long seq) except -1
@cython.locals(ts=timers, pending=bint, e=tuple, old=object)
cpdef bint stop(timer t) except -1
@cython.locals(t=timer, e=tuple, ran=int, fire=bint, again=bint, seq="long long", delta="long long")
cpdef int runtimers(timers ts, long long now) except -1
@cython.locals(when="long long", e=tuple, early=bint)
cdef int _rearm(timers ts, timer t) except -1
@cython.locals(next="long long", w="long long", pp=P, ts=timers)
cpdef long long timeSleepUntil() except -1
@cython.locals(pp=P, ts=timers, t=timer, e=tuple, old=list)
cpdef int dropzombies() except -1
@cython.locals(n="long long", pp=P, ts=timers)
cpdef long long armed() except -1
cpdef int wakeNetPoller(long long when) except -1
