from runtime.asm cimport lock, unlock
from runtime.gmp cimport NetPoller, Sched
from runtime.netpoll cimport PollCache, PollDesc, netpollready
from runtime.rawsys cimport Epoll
cimport cython

cdef Sched sched
cdef PollCache pollcache
cdef int READ, WRITE
cdef unsigned int EPOLLIN, EPOLLPRI, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLET
cdef unsigned int _READABLE, _WRITABLE, _VOIDSHORT
cdef long long _SEQMASK, _INDEXMASK, aheadMax


@cython.locals(mode=int)
cpdef int eventmode(PollDesc pd, unsigned int ev) except -1


cdef class EpollPoller(NetPoller):
    cdef public Epoll ep
    cdef public int eventfd
    cdef public object wakesig
    cdef public int sigr
    cdef public int sigw
    cdef public object sigbuf
    cpdef int close(self) except -1
    cpdef int netpollopen(self, int fd, PollDesc pd) except? -1
    cpdef int netpollclose(self, int fd) except? -1
    cpdef int netpollBreak(self) except -1
    @cython.locals(waitms=long)
    cpdef list netpoll(self, long long delay)
    cdef int failed(self) except -1
    @cython.locals(ep=Epoll, data="long long", pd=PollDesc, ahead="long long")
    cpdef list drain(self, long long delay)
    cpdef int ownevent(self, long long data, long long delay) except -1
