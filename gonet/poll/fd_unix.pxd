from gonet.poll.fd_mutex cimport fdMutex
from runtime.asm cimport lock, unlock
from runtime.gmp cimport Sched
from runtime.netpoll cimport (
    PollDesc,
    netpollblock,
    poll_runtime_pollReset,
    poll_runtime_pollSetDeadline,
    poll_runtime_pollWait,
)
from runtime.proc cimport checkpreempt
from runtime.rawsys cimport close, read, recv, send, writable_nbytes, write
from runtime.sema cimport Sema, semacquire, semrelease
from runtime.time cimport realtime
from runtime.timesleep cimport number
cimport cython

cdef long long _EAGAIN, _EINTR
cdef int READ, WRITE, BOTH
cdef long long MAXRW, SHORT
cdef bint LOCKS
cdef Sched sched
cdef long long mutexClosed, mutexRef, mutexRLock, mutexRWait, mutexWLock
cdef long long _manyrefs, _rbusy, _wbusy, _rtake, _wtake, _sought


cdef class FD(fdMutex):
    cdef public int Sysfd
    cdef public bint IsStream
    cdef public bint ZeroReadIsEOF
    cdef public bint isFile
    cdef public bint hint
    cdef public bint drained
    cdef public bint opened
    cdef public PollDesc pd
    cdef public Sema csema
    @cython.locals(sema=Sema, pd=PollDesc)
    cdef int _destroy(self) except -1
    @cython.locals(pd=PollDesc, code=int)
    cdef int _prepare(self, int mode) except -1
    @cython.locals(pd=PollDesc, code=int)
    cdef int _pdwait(self, int mode, object name) except -1
    @cython.locals(state="long long", pd=PollDesc, hup="long long", n="long long", code=int, whole=bytearray)
    cpdef long long Read(self, object buf) except? -1
    @cython.locals(pd=PollDesc)
    cdef int _heard(self, long long hup) except -1
    @cython.locals(state="long long", pd=PollDesc, n="long long", code=int)
    cpdef long long Write(self, object data) except? -1
    @cython.locals(off="long long", size="long long")
    cdef long long _writerest(self, object data, long long n) except? -1
    @cython.locals(d="long long")
    cdef int _setdeadline(self, object t, int mode) except -1
    @cython.locals(pd=PollDesc, code=int)
    cdef int _writewait(self) except -1


@cython.locals(x=double, n="long long")
cdef long long _instant(object t) except? -2
