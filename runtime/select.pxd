from runtime.asm cimport lock, unlock
from runtime.chan cimport (
    Hchan,
    Sudog,
    acquireSudog,
    closechan,
    dequeueSudoG,
    releaseSudog,
    selectDone,
    selectnbrecv,
    selectnbsend,
)
from runtime.gmp cimport G, Sched
from runtime.proc cimport checkpreempt, gopark0, raiseinjected
from runtime.rand cimport cheaprandn
cimport cython

cdef bint LOCKS
cdef Sched sched
cdef object chanBlocks, chanClosed
cdef int selectRecv, selectSend, sudogClosed, sudogIdle
cdef int waitReasonChanReceiveNilChan, waitReasonChanSendNilChan, waitReasonSelect, waitReasonSelectNoCases


cdef class scase:
    cdef public Hchan c
    cdef public object elem
    cdef public int mode


@cython.locals(cas=scase)
cdef scase _newcase(Hchan c, int mode, object elem)


cdef class hselect(selectDone):
    cdef public list sgs
    @cython.locals(sg=Sudog)
    cpdef bint unlockf(self, G gp, int mode) except -1


@cython.locals(undecided=bint)
cdef bint _decide(selectDone sel) except -1
@cython.locals(sel=hselect, sgs=list, sg=Sudog, won=Sudog, injected=bint)
cpdef tuple selectgo(tuple cases, bint block)
@cython.locals(i=int, recvs=bint, closed=bint)
cdef tuple _outcome(Sudog sg)
cdef int _release(Sudog sg) except -1
@cython.locals(cas=scase)
cdef scase _case(object x, int i)
@cython.locals(nready=int, chosen=int, mode=int, i=int, seen="long long", c=Hchan, ch=Hchan, cas=scase)
cdef tuple _choose(tuple cases, bint block)
@cython.locals(seen="long long", c=Hchan, cas=scase)
cdef long long _versions(tuple cases) except? -1
@cython.locals(stale=bint, ready=bint, sg=Sudog, after=Sudog)
cdef bint _ready(Hchan c, int mode) except -1
@cython.locals(sgs=list, kept=list, i=int, same=int, cas=scase, sg=Sudog, last=Sudog)
cdef list _sudogs(tuple cases, hselect sel)
cpdef object _operation(Sudog sg)
