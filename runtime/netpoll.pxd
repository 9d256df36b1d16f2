from runtime.asm cimport getm, lock, mutex, unlock
from runtime.gmp cimport G, M, NetPoller, Sched, WaitLock
from runtime.proc cimport getg, gopark0, goready, raiseinjected, schedule
from runtime.rawsys cimport nanotime, recvahead
from runtime.time cimport modify, stop, timer
cimport cython

cdef Sched sched
cdef int READ, WRITE, waitReasonIOWait, _Grunning, _Gwaiting
cdef int pollErrClosing, pollErrNotPollable, pollErrTimeout, pollNoError
cdef long long maxWhen, rnNone, _COUNT
cdef object pdReady, pdWait
cdef bint LOCKS


cdef class PollDesc(WaitLock):
    cdef public int fd
    cdef public long long index
    cdef public long long fdseq
    cdef public bint closing
    cdef public bint everr
    cdef public long long hup
    cdef public object rg  # a mark or a G
    cdef public object wg
    cdef public object rbuf
    cdef public long long rn
    cdef public long long rd
    cdef public long long wd
    cdef public timer rt
    cdef public timer wt
    cdef public long long rseq
    cdef public long long wseq


cdef class PollCache(mutex):
    cdef public list all
    cdef public list free


cdef PollDesc _alloc()
@cython.locals(n="long long")
cpdef long long netpollready(list glist, PollDesc pd, int mode, bint ahead) except -1
cpdef G netpollunblock(PollDesc pd, int mode, bint ioready)
cpdef int netpollcheckerr(PollDesc pd, int mode) except -1
@cython.locals(park=bint, injected=bint, mp=M, gp=G)
cpdef bint netpollblock(PollDesc pd, int mode, bint waitio) except -1
cdef bint _waited(PollDesc pd, int mode, bint injected) except -1
cpdef int poll_runtime_pollReset(PollDesc pd, int mode) except -1
cpdef int poll_runtime_pollWait(PollDesc pd, int mode) except -1
@cython.locals(rg=G, wg=G)
cpdef int poll_runtime_pollUnblock(PollDesc pd) except -1
@cython.locals(rg=G, wg=G, seq="long long", when="long long")
cpdef int poll_runtime_pollSetDeadline(PollDesc pd, long long d, int mode) except -1
cpdef int poll_runtime_pollClose(PollDesc pd) except? -1
