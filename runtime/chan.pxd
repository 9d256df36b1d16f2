from runtime.asm cimport lock, mutex, unlock
from runtime.gmp cimport G, Sched, WaitLock
from runtime.proc cimport checkpreempt, gopark0, goready, raiseinjected
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef object chanBlocks, chanClosed
cdef int waitReasonChanReceive, waitReasonChanSend
cdef int selectRecv, selectSend, sudogClosed, sudogDone, sudogIdle, sudogQueued, _CACHED


cdef class selectDone(WaitLock):
    cdef public bint done
    cdef public Sudog won


cdef class Sudog(WaitLock):
    cdef public Hchan c
    cdef public G g
    cdef public object elem
    cdef public int mode
    cdef public int state
    cdef public Sudog next
    cdef public Sudog prev
    cdef public selectDone sel
    cdef public int index
    @cython.locals(c=Hchan, other=Sudog, last=Sudog, wait=bint)
    cpdef bint unlockf(self, G gp, int mode) except -1


cdef class sudogcache(mutex):
    cdef public Sudog first
    cdef public int n


cdef sudogcache _cache


@cython.locals(sg=Sudog)
cpdef Sudog acquireSudog(Hchan c, int mode)
cpdef int releaseSudog(Sudog sg) except -1
@cython.locals(c=Hchan, before=Sudog, after=Sudog, found=bint)
cpdef bint dequeueSudoG(Sudog sg, G gp) except -1
@cython.locals(sent=bint, stale=bint, closed=bint, gp=G, sg=Sudog, after=Sudog, sel=selectDone)
cpdef bint selectnbsend(Hchan c, object v) except -1
@cython.locals(stale=bint, gp=G, sg=Sudog, after=Sudog, sel=selectDone)
cpdef object selectnbrecv(Hchan c)
@cython.locals(again=bint, stale=bint, first=G, sg=Sudog, after=Sudog, sel=selectDone)
cpdef int closechan(Hchan c) except -1
@cython.locals(found=bint)
cpdef bint timerchandrain(Hchan c) except -1
@cython.locals(sg=Sudog, after=Sudog, injected=bint, state=int, i="Py_ssize_t")
cpdef int chansend(Hchan c, object v) except -1
cpdef int preempted(Hchan c, str what) except -1
cpdef int checkbubble(Hchan c, str what) except -1
@cython.locals(sg=Sudog, after=Sudog, injected=bint, state=int, i="Py_ssize_t")
cpdef object chanrecv(Hchan c)


cdef class Hchan(mutex):
    cdef object __weakref__
    cdef public object bubble  # Bubble: its module imports this one
    cdef public list buf
    cdef public bint closed
    cdef public long long dataqsiz
    cdef public long long qcount
    cdef public long long sendx
    cdef public long long recvx
    cdef public long long version
    cdef public Sudog recvfirst
    cdef public Sudog recvlast
    cdef public Sudog sendfirst
    cdef public Sudog sendlast
