# Types of gmp.py's fields. G's stack, m and p stay objects where a cycle of cimports would be needed.

from runtime.asm cimport gqueue, mutex


cdef class WaitLock(mutex):
    cpdef bint unlockf(self, G gp, int mode) except -1
    cpdef bint cancelf(self, G gp, int mode) except -1
    cpdef bint durable(self, object bubble) except -1


cdef class G:
    cdef object __weakref__
    cdef public long long goid
    cdef public int status
    cdef public int waitreason
    cdef public int lockedExt
    cdef public long long parentgoid
    cdef public bint wasg0
    cdef public bint durable
    cdef public long long waitsince
    cdef public object fn
    cdef public object args
    cdef public object kwargs
    cdef public object ctx
    cdef public object gopc
    cdef public object gr
    cdef public M m
    cdef public WaitLock waitlock
    cdef public int waitmode
    cdef public object injected
    cdef public object param
    cdef public object bubble  # Bubble: its module imports this one


cdef class M:
    cdef public int id
    cdef public long long ident
    cdef public long long procid
    cdef public bint isextra
    cdef public bint stopping
    cdef public int nwired
    cdef public int blocked
    cdef public G g0
    cdef public G curg
    cdef public G nextg
    cdef public P p
    cdef public object park
    cdef public object base
    cdef public object nextstack
    cdef public object starter
    cdef public object refused


cdef class P:
    cdef public int id
    cdef public int status
    cdef public M m
    cdef public long long schedtick
    cdef public bint preempt
    cdef public bint inherit
    cdef public G runnext
    cdef public gqueue runq
    cdef public list gfree
    cdef public object timers  # timers: its module imports this one
    cdef public long long goidcache
    cdef public long long goidcacheend
    cdef public long long sysmontick
    cdef public long long sysmonwhen


cdef class NetPoller(mutex):
    cdef public bint signals
    cpdef int opensignals(self) except -1
    cpdef list netpoll(self, long long delay)
    cpdef int netpollBreak(self) except -1


cdef class Sched(mutex):
    cdef public set allgs
    cdef public list allm
    cdef public list allp
    cdef public dict extram
    cdef public object finq
    cdef public gqueue runq
    cdef public int gomaxprocs
    cdef public long long goidgen
    cdef public int mnext
    cdef public M m0
    cdef public G maing
    cdef public NetPoller poller
    cdef public long long lastpoll
    cdef public long long polluntil
    cdef public bint preempt
    cdef public int bubbles
    cdef public bint seeded
    cdef public bint recheck
    cdef public int nmspinning
    cdef public int nsyscall
    cdef public int own_threads
    cdef public int own_starting
    cdef public G iowitness
    cdef public bint sysmonwait
    cdef public bint sysmonstarted
    cdef public object sysmonnote
    cdef public int forkepoch
    cdef public bint exiting
