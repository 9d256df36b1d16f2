from runtime.asm cimport curcontext, curstack, getm, gogo, invoke, lock, ownstack, smallstack, trylock, unlock
from runtime.gmp cimport G, M, NetPoller, P, Sched, WaitLock
from runtime.rawsys cimport checksignals, nanotime
from runtime.runq cimport runqsteal
from runtime.time cimport dropzombies, runtimers, timers, timeSleepUntil
cimport cython

cdef Sched sched
cdef int _Gdead, _Grunnable, _Grunning, _Gwaiting, _Pdead
cdef int waitReasonGoexit, waitReasonIOWait
cdef int _GFREE


@cython.locals(mp=M, gp=G)
cpdef G getg()
@cython.locals(mp=M)
cpdef M acquirem()
cpdef int gopark(WaitLock wl, int reason, int mode) except -1
@cython.locals(mp=M, gp=G)
cpdef bint gopark0(WaitLock wl, int reason, int mode) except -1
cpdef object raiseinjected()
@cython.locals(mp=M, pp=P)
cpdef int goready(G gp) except -1
@cython.locals(mp=M)
cdef int _readyelsewhere(G gp) except -1
cpdef int wakem(M mp) except -1
@cython.locals(wl=WaitLock)
cpdef int inject(G gp, object exc) except -1
@cython.locals(gp=G)
cpdef object Gosched()
@cython.locals(mp=M, gp=G, pp=P)
cpdef G goyield()
@cython.locals(mp=M)
cpdef int checkpreempt() except -1
@cython.locals(mp=M, pp=P)
cdef int resetpreempt() except -1
@cython.locals(pp=P, nextg=G, ts=timers)
cpdef int schedule(M mp, G gp) except -1
cdef int execute(M mp, P pp, G gp) except -1
@cython.locals(ts=timers, now="long long", gp=G)
cdef G findrunnable(M mp, P pp)
@cython.locals(old=G)
cpdef int runqput(P pp, G gp, bint next) except -1
cdef G _undead(P pp, G gp)
cdef bint gfget(M mp, P pp, G gp) except -1
@cython.locals(poller=NetPoller, glist=list)
cdef int _pollonce(M mp) except -1
@cython.locals(pp=P, gp=G)
cpdef int injectglist(M mp, list glist) except -1
@cython.locals(poller=NetPoller, polling=bint, until="long long", delay="long long", now="long long", glist=list,
               other=P, ts=timers)
cpdef int idle(M mp, P pp) except -1
@cython.locals(other=M)
cpdef bint wakeparked() except -1
@cython.locals(other=P, gp=G)
cdef bint _hasother(M mp, P pp) except -1
@cython.locals(w=G)
cdef long long _checkdead(M mp) except? -2
cpdef int runfinq() except -1
@cython.locals(mp=M)
cpdef int queuefinalizer(object f, object arg) except -1
@cython.locals(last=bint)
cpdef int addnsyscall(int n) except -1
cpdef int wakep() except -1
@cython.locals(pp=P, nextg=G, gp=G)
cdef G goexit0(M mp, object stack)
@cython.locals(gp=G, looked=bint)
cpdef int schedloop(M mp, P pp, G g0) except -1
@cython.locals(mp=M, gp=G)
cpdef int goroutine_entry() except -1
