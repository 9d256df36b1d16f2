from runtime.asm cimport lock, mutex, unlock
from runtime.gmp cimport G, Sched, WaitLock
from runtime.proc cimport checkpreempt, getg, gopark0, goready, raiseinjected
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef object chanBlocks, chanClosed
cdef int waitReasonChanReceive, waitReasonChanSend


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


@cython.locals(sg=Sudog)
cdef Sudog acquireSudog(G gp, Hchan c, int mode)
cdef int releaseSudog(G gp, Sudog sg) except -1
@cython.locals(c=Hchan, other=Sudog, last=Sudog, wait=bint)
cpdef bint enqueueSudoG(Sudog sg) except -1
@cython.locals(c=Hchan, before=Sudog, after=Sudog, found=bint)
cpdef bint dequeueSudoG(Sudog sg) except -1
@cython.locals(sent=bint, stale=bint, closed=bint, gp=G, sg=Sudog, after=Sudog, sel=selectDone)
cpdef bint selectnbsend(Hchan c, object v) except -1
@cython.locals(stale=bint, gp=G, sg=Sudog, after=Sudog, sel=selectDone)
cpdef object selectnbrecv(Hchan c)
@cython.locals(again=bint, stale=bint, first=G, sg=Sudog, after=Sudog, sel=selectDone)
cpdef int closechan(Hchan c) except -1


cdef class Hchan(mutex):
    cdef object __weakref__
    cdef public object bubble  # Bubble: its module imports this one
    cdef public list buf
    cdef public bint closed
    cdef public long long dataqsiz
    cdef public long long qcount
    cdef public long long sendx
    cdef public long long recvx
    cdef public Sudog recvfirst
    cdef public Sudog recvlast
    cdef public Sudog sendfirst
    cdef public Sudog sendlast
    @cython.locals(gp=G, sg=Sudog, injected=bint, state=int)
    cpdef object send(self, object v)
    cpdef object recv(self)
    cpdef object recv2(self)
    @cython.locals(gp=G, sg=Sudog, injected=bint, state=int)
    cdef object _recvwait(self)
