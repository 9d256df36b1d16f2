from runtime.asm cimport lock, trylock, unlock
from runtime.gmp cimport G, M, NetPoller, P, Sched
from runtime.rawsys cimport checksignals, nanotime
from runtime.time cimport dropzombies, runtimers, timers, timeSleepUntil
cimport cython

cdef Sched sched
cdef int _Grunnable, _Gwaiting, _Pdead
cdef int waitReasonIOWait


@cython.locals(poller=NetPoller, polling=bint, until="long long", delay="long long", now="long long", glist=list,
               other=P, ts=timers)
cpdef int idle(M mp, P pp) except -1
@cython.locals(other=P, gp=G)
cdef bint _hasother(M mp, P pp) except -1
@cython.locals(w=G)
cdef long long _checkdead(M mp) except? -2
cpdef int wakem(M mp) except -1
@cython.locals(mp=M)
cpdef int readyelsewhere(G gp) except -1
@cython.locals(pp=P, gp=G)
cpdef int injectglist(M mp, list glist) except -1
cpdef int wakep() except -1
@cython.locals(other=M)
cpdef bint wakeparked() except -1
@cython.locals(last=bint)
cpdef int addnsyscall(int n) except -1
@cython.locals(poller=NetPoller, glist=list)
cpdef int pollonce(M mp) except -1
cpdef int runfinq() except -1
@cython.locals(mp=M)
cpdef int queuefinalizer(object f, object arg) except -1
