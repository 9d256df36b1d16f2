from runtime.asm cimport curcontext, curstack, getm, gogo, invoke, lock, ownstack, smallstack, unlock
from runtime.gmp cimport G, M, P, Sched, WaitLock
from runtime.idle cimport idle, pollonce, readyelsewhere, runfinq, wakem, wakep
from runtime.rawsys cimport nanotime
from runtime.runq cimport runqsteal
from runtime.time cimport runtimers, timers
cimport cython

cdef Sched sched
cdef int _Gdead, _Grunnable, _Grunning, _Gwaiting, _Pdead
cdef int waitReasonGoexit
cdef int _GFREE, _DEPTH
cdef long long _BREATHE, _breath
cdef bint compiled


@cython.locals(mp=M, gp=G)
cpdef G getg()
@cython.locals(mp=M)
cpdef M acquirem()
cpdef int gopark(WaitLock wl, int reason, int mode) except -1
@cython.locals(mp=M, gp=G)
cpdef bint gopark0(WaitLock wl, int reason, int mode) except -1
cdef WaitLock _bubblepark(G gp, WaitLock wl, int reason, int mode)
@cython.locals(mp=M)
cpdef object raiseinjected()
@cython.locals(mp=M, pp=P)
cpdef int goready(G gp) except -1
@cython.locals(wl=WaitLock)
cpdef int inject(G gp, object exc) except -1
@cython.locals(gp=G)
cpdef object Gosched()
@cython.locals(mp=M, gp=G, pp=P)
cpdef G goyield()
@cython.locals(mp=M)
cpdef int checkpreempt() except -1
cdef bint _room(int n) except -1
@cython.locals(mp=M, pp=P)
cdef int resetpreempt() except -1
@cython.locals(pp=P, nextg=G, ts=timers)
cpdef int schedule(M mp, G gp) except -1
cdef int _moved(M mp, G gp) except -1
cdef int execute(M mp, P pp, G gp) except -1
@cython.locals(ts=timers, now="long long", gp=G)
cdef G findrunnable(M mp, P pp)
@cython.locals(old=G)
cpdef int runqput(P pp, G gp, bint next) except -1
cdef G _undead(P pp, G gp)
cdef object _malg(M mp)
cdef bint gfget(M mp, P pp, G gp) except -1
@cython.locals(pp=P, nextg=G, gp=G)
cdef G goexit0(M mp, object stack)
@cython.locals(gp=G, looked=bint)
cpdef int schedloop(M mp, P pp, G g0) except -1
@cython.locals(mp=M, gp=G)
cpdef int goroutine_entry() except -1
