"""The system-call edge in C; rawsys.py has the text.

Differs from it: no call here makes an exception or a Python object for an error, and the GIL is kept for every
call that cannot sleep (released per call, it would cost a switch interval each as soon as another thread computes).
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/ioctl.h>
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>

    #ifdef Py_GIL_DISABLED
    #define GONET_FT 1
    #else
    #define GONET_FT 0
    #endif
    /* The memory of what needs no export while the GIL is held: a bytearray, or a view of contiguous bytes. */
    static CYTHON_INLINE int gonet_plainbuf(PyObject *o, Py_buffer *view, int flags) {
        if (GONET_FT) return 0;
        view->obj = NULL;
        if (PyByteArray_CheckExact(o)) {
            view->buf = PyByteArray_AS_STRING(o);
            view->len = PyByteArray_GET_SIZE(o);
            return 1;
        }
        if (PyMemoryView_Check(o)) {
            PyMemoryViewObject *mv = (PyMemoryViewObject *)o;
            if ((mv->flags & (_Py_MEMORYVIEW_RELEASED | _Py_MEMORYVIEW_C)) != _Py_MEMORYVIEW_C
                || mv->mbuf->flags & _Py_MANAGED_BUFFER_RELEASED
                || (flags == PyBUF_WRITABLE && mv->view.readonly)) return 0;
            view->buf = mv->view.buf;
            view->len = mv->view.len;
            return 1;
        }
        return 0;
    }
    static CYTHON_INLINE int gonet_getbuf(PyObject *o, Py_buffer *view, int flags) {
        if (gonet_plainbuf(o, view, flags)) return 0;
        if (flags == PyBUF_SIMPLE && PyBytes_CheckExact(o)) {
            view->obj = NULL;
            view->buf = PyBytes_AS_STRING(o);
            view->len = PyBytes_GET_SIZE(o);
            return 0;
        }
        return PyObject_GetBuffer(o, view, flags);
    }
    static CYTHON_INLINE void gonet_relbuf(Py_buffer *view) { if (view->obj != NULL) PyBuffer_Release(view); }
    static CYTHON_INLINE long long gonet_nanotime(void) {
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (long long)ts.tv_sec * 1000000000LL + ts.tv_nsec;
    }
    /* recv(2) and send(2) are cancellation points of glibc, which costs two calls each in a process with threads. */
    static CYTHON_INLINE ssize_t gonet_recv(int fd, void *buf, size_t n) {
    #ifdef SYS_recvfrom
        return syscall(SYS_recvfrom, fd, buf, n, 0, NULL, NULL);
    #else
        return recv(fd, buf, n, 0);
    #endif
    }
    static CYTHON_INLINE ssize_t gonet_send(int fd, const void *buf, size_t n) {
    #ifdef SYS_sendto
        return syscall(SYS_sendto, fd, buf, n, MSG_NOSIGNAL, NULL, 0);
    #else
        return send(fd, buf, n, MSG_NOSIGNAL);
    #endif
    }
    static volatile unsigned long gonet_polls = 0;     /* epoll_waits begun, for doze */
    static void gonet_doze(long delay_us, long most_us) {
        struct timespec ts = {delay_us / 1000000, delay_us % 1000000 * 1000};
        unsigned long seen;
        do {
            seen = gonet_polls;
            nanosleep(&ts, NULL);
            most_us -= delay_us;
        } while (gonet_polls != seen && most_us > 0);
    }
    static CYTHON_INLINE unsigned long long gonet_event_data(struct epoll_event *e, long i) { return e[i].data.u64; }
    static CYTHON_INLINE int gonet_ctl(int epfd, int op, int fd, unsigned int events, unsigned long long data) {
        struct epoll_event ev;
        ev.events = events;
        ev.data.u64 = data;
        return epoll_ctl(epfd, op, fd, &ev);
    }
    """
    int errno, EAGAIN
    int gonet_plainbuf(object o, Py_buffer *view, int flags) noexcept
    int gonet_getbuf(object o, Py_buffer *view, int flags) except -1
    void gonet_relbuf(Py_buffer *view) noexcept
    int SOCK_NONBLOCK, SOCK_CLOEXEC, F_DUPFD_CLOEXEC, EFD_NONBLOCK, EFD_CLOEXEC
    int EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL
    int AF_INET, AF_INET6
    ctypedef unsigned int socklen_t
    struct epoll_event:
        uint32_t events
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct c_sockaddr "sockaddr":
        unsigned short sa_family
    struct sockaddr_storage:
        unsigned short ss_family
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    unsigned short htons(unsigned short) nogil
    unsigned short ntohs(unsigned short) nogil
    uint32_t htonl(uint32_t) nogil
    uint32_t ntohl(uint32_t) nogil
    long long gonet_nanotime() noexcept nogil
    unsigned long long gonet_event_data(epoll_event *e, long i) noexcept nogil
    int gonet_ctl(int epfd, int op, int fd, unsigned int events, unsigned long long data) noexcept nogil
    int epoll_create1(int flags) noexcept nogil
    int epoll_wait(int epfd, epoll_event *events, int n, int timeout) noexcept nogil
    int c_eventfd "eventfd"(unsigned int initval, int flags) noexcept nogil
    ssize_t c_read "read"(int fd, void *buf, size_t n) noexcept nogil
    ssize_t c_write "write"(int fd, const void *buf, size_t n) noexcept nogil
    ssize_t gonet_recv(int fd, void *buf, size_t n) noexcept nogil
    ssize_t gonet_send(int fd, const void *buf, size_t n) noexcept nogil
    unsigned long gonet_polls
    void gonet_doze(long delay_us, long most_us) noexcept nogil
    int c_close "close"(int fd) noexcept nogil
    int c_socket "socket"(int family, int type, int proto) noexcept nogil
    int c_connect "connect"(int fd, const c_sockaddr *sa, socklen_t n) noexcept nogil
    int c_bind "bind"(int fd, const c_sockaddr *sa, socklen_t n) noexcept nogil
    int c_listen "listen"(int fd, int backlog) noexcept nogil
    int c_accept4 "accept4"(int fd, c_sockaddr *sa, socklen_t *n, int flags) noexcept nogil
    int c_getsockname "getsockname"(int fd, c_sockaddr *sa, socklen_t *n) noexcept nogil
    int c_getpeername "getpeername"(int fd, c_sockaddr *sa, socklen_t *n) noexcept nogil
    int c_setsockopt "setsockopt"(int fd, int level, int opt, const void *v, socklen_t n) noexcept nogil
    int c_getsockopt "getsockopt"(int fd, int level, int opt, void *v, socklen_t *n) noexcept nogil
    int c_shutdown "shutdown"(int fd, int how) noexcept nogil
    int fcntl(int fd, int cmd, ...) noexcept nogil

MAXRW = 1 << 28
SHORT = 1 << 29
compiled = True

cdef enum:
    cMAXRW = 1 << 28
    cSHORT = 1 << 29


cdef class Epoll:
    """One epoll instance and the array that epoll_wait fills."""

    def __cinit__(self, int cap=128):
        self.epfd = -1
        self.buf = malloc(cap * sizeof(epoll_event))
        if self.buf == NULL:
            raise MemoryError
        self.cap = cap
        self.epfd = epoll_create1(EPOLL_CLOEXEC)
        if self.epfd < 0:
            raise OSError(errno, "epoll_create1")

    def __dealloc__(self):
        if self.epfd >= 0:
            c_close(self.epfd)
        free(self.buf)

    cpdef long add(self, int fd, unsigned int events, long long data) except? -1:
        """Register fd for events, which come back with data; 0 or -errno."""
        return 0 if gonet_ctl(self.epfd, EPOLL_CTL_ADD, fd, events, <unsigned long long>data) == 0 else -errno

    cpdef long delete(self, int fd) except? -1:
        """Take fd out; 0 or -errno."""
        return 0 if gonet_ctl(self.epfd, EPOLL_CTL_DEL, fd, 0, 0) == 0 else -errno

    cpdef long wait(self, long timeout_ms) except? -1:
        """Wait for events, timeout_ms at most (-1: for ever, 0: not at all, and then the GIL is kept); n or -errno."""
        cdef int n
        cdef int epfd = self.epfd
        cdef int cap = self.cap
        cdef epoll_event *buf = <epoll_event *>self.buf
        cdef int err
        global gonet_polls
        gonet_polls += 1
        self.ready = 0
        if timeout_ms == 0:
            n = epoll_wait(epfd, buf, cap, 0)
            err = errno
        else:
            with nogil:
                n = epoll_wait(epfd, buf, cap, <int>timeout_ms)
                err = errno  # before the GIL is taken again
        self.i = 0
        self.ready = n if n > 0 else 0
        return n if n >= 0 else -err

    cpdef bint next(self) except -1:
        """Take the next event of the last wait into events and data; False if there is none."""
        if self.i >= self.ready:
            return False
        self.events = (<epoll_event *>self.buf)[self.i].events
        self.data = <long long>gonet_event_data(<epoll_event *>self.buf, self.i)
        self.i += 1
        return True

    cpdef int fileno(self) except? -1:
        """The epoll descriptor, -1 once closed."""
        return self.epfd

    cpdef long close(self) except? -1:
        """Close the epoll descriptor (a second time is nothing); registrations of other holders are untouched."""
        cdef int fd = self.epfd
        self.epfd = -1
        return 0 if fd < 0 or c_close(fd) == 0 else -errno


cpdef long long nanotime() except? -1:
    """The monotonic clock in nanoseconds."""
    return gonet_nanotime()


def doze(long delay_us, long most_us):
    """Sleep delay_us; then again, most_us in all, as long as somebody has polled meanwhile. Takes the GIL only after."""
    with nogil:
        gonet_doze(delay_us, most_us)


sighandlers = {}  # of the portable form
sigpending = set()


cpdef int checksignals() except -1:
    """Run the Python handlers of signals that have arrived; what a handler raises comes out."""
    PyErr_CheckSignals()
    return 0


# gonet_getbuf: a view of a caller's buffer. bytes and bytearray, the common ones, need no export: nothing here gives the
# GIL up, so nobody can resize or free them meanwhile. (On a free-threaded build a bytearray is exported.)

cdef inline long long counted(ssize_t n, ssize_t want) noexcept:
    if n < 0:
        return -errno
    return n if n == want else n + cSHORT


cpdef long long nbytes(object data) except? -1:
    """The size of a bytes-like object. Raises TypeError or BufferError for anything else."""
    cdef Py_buffer view
    gonet_getbuf(data, &view, PyBUF_SIMPLE)
    gonet_relbuf(&view)
    return view.len


cpdef long long writable_nbytes(object buf) except? -1:
    """The size of a writable buffer. Raises TypeError or BufferError for anything else."""
    cdef Py_buffer view
    gonet_getbuf(buf, &view, PyBUF_WRITABLE)
    gonet_relbuf(&view)
    return view.len


cpdef long long recv(int fd, object buf) except? -1:
    """recv(2) into buf: n, with SHORT added if less than asked for came, or -errno."""
    cdef Py_buffer view
    cdef ssize_t want
    cdef long long n
    gonet_getbuf(buf, &view, PyBUF_WRITABLE)
    want = view.len if view.len < cMAXRW else cMAXRW
    n = counted(gonet_recv(fd, view.buf, want), want) if want > 0 else 0  # of no bytes the kernel may say EAGAIN
    gonet_relbuf(&view)
    return n


cpdef long long recvahead(int fd, object buf) noexcept:
    """recv for a caller that must not run anybody's code: -EAGAIN, unread, if buf is not a plain buffer."""
    cdef Py_buffer view
    cdef ssize_t want
    if not gonet_plainbuf(buf, &view, PyBUF_WRITABLE):
        return -EAGAIN
    want = view.len if view.len < cMAXRW else cMAXRW
    return counted(gonet_recv(fd, view.buf, want), want) if want > 0 else -EAGAIN


cpdef long long send(int fd, object data, long long off) except? -1:
    """send(2) of data from off on, never raising SIGPIPE: n, with SHORT added if less was taken, or -errno.

    At most MAXRW is sent at once, which then is no SHORT.
    """
    cdef Py_buffer view
    cdef ssize_t want
    cdef long long n
    gonet_getbuf(data, &view, PyBUF_SIMPLE)
    want = view.len - off if view.len - off < cMAXRW else cMAXRW
    n = counted(gonet_send(fd, <char *>view.buf + off, want), want)
    gonet_relbuf(&view)
    return n


cpdef long long read(int fd, object buf) except? -1:
    """read(2) into buf, as recv."""
    cdef Py_buffer view
    cdef ssize_t want
    cdef long long n
    gonet_getbuf(buf, &view, PyBUF_WRITABLE)
    want = view.len if view.len < cMAXRW else cMAXRW
    n = counted(c_read(fd, view.buf, want), want)
    gonet_relbuf(&view)
    return n


cpdef long long write(int fd, object data, long long off) except? -1:
    """write(2) of data from off on, as send."""
    cdef Py_buffer view
    cdef ssize_t want
    cdef long long n
    gonet_getbuf(data, &view, PyBUF_SIMPLE)
    want = view.len - off if view.len - off < cMAXRW else cMAXRW
    n = counted(c_write(fd, <char *>view.buf + off, want), want)
    gonet_relbuf(&view)
    return n


cpdef object accept4(int fd):
    """accept4(2), the new descriptor non-blocking and close-on-exec: (newfd, sa) or -errno."""
    cdef sockaddr_storage ss
    cdef socklen_t n = sizeof(ss)
    cdef int nfd = c_accept4(fd, <c_sockaddr *>&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC)
    if nfd < 0:
        return -errno
    return (nfd, PyBytes_FromStringAndSize(<char *>&ss, n))


cpdef long close(int fd) except? -1:
    """close(2): 0 or -errno."""
    return 0 if c_close(fd) == 0 else -errno


cpdef long eventfd() except? -1:
    """A non-blocking, close-on-exec eventfd(2), or -errno."""
    cdef int fd = c_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    return fd if fd >= 0 else -errno


cpdef long eventfd_write(int fd) except? -1:
    """Add one to the eventfd: 0 or -errno."""
    cdef uint64_t one = 1
    return 0 if c_write(fd, &one, 8) == 8 else -errno


cpdef long eventfd_read(int fd) except? -1:
    """Reset the eventfd: 0 or -errno."""
    cdef uint64_t n
    return 0 if c_read(fd, &n, 8) == 8 else -errno


def socket(int family, int type, int proto):
    """socket(2), non-blocking and close-on-exec: fd or -errno."""
    cdef int fd = c_socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, proto)
    return fd if fd >= 0 else -errno


def sockaddr(int family, bytes host, int port, uint32_t flowinfo=0, uint32_t scope_id=0):
    """The opaque address that connect and bind take, of a packed host (4 or 16 bytes)."""
    cdef sockaddr_in sin
    cdef sockaddr_in6 sin6
    if family == AF_INET and len(host) == 4:
        memset(&sin, 0, sizeof(sin))
        sin.sin_family = AF_INET
        sin.sin_port = htons(<unsigned short>port)
        memcpy(&sin.sin_addr, PyBytes_AS_STRING(host), 4)
        return PyBytes_FromStringAndSize(<char *>&sin, sizeof(sin))
    if family == AF_INET6 and len(host) == 16:
        memset(&sin6, 0, sizeof(sin6))
        sin6.sin6_family = AF_INET6
        sin6.sin6_port = htons(<unsigned short>port)
        sin6.sin6_flowinfo = htonl(flowinfo)
        sin6.sin6_scope_id = scope_id
        memcpy(&sin6.sin6_addr, PyBytes_AS_STRING(host), 16)
        return PyBytes_FromStringAndSize(<char *>&sin6, sizeof(sin6))
    raise ValueError("address of no known family")


def parse_sockaddr(bytes sa):
    """(family, packed host, port, scope_id) of an opaque address."""
    cdef const char *p = PyBytes_AS_STRING(sa)
    cdef Py_ssize_t n = PyBytes_GET_SIZE(sa)
    cdef sockaddr_in sin
    cdef sockaddr_in6 sin6
    if n >= <Py_ssize_t>sizeof(sin):
        memcpy(&sin, p, sizeof(sin))
        if sin.sin_family == AF_INET:
            return (AF_INET, PyBytes_FromStringAndSize(<char *>&sin.sin_addr, 4), ntohs(sin.sin_port), 0)
    if n >= <Py_ssize_t>sizeof(sin6):
        memcpy(&sin6, p, sizeof(sin6))
        if sin6.sin6_family == AF_INET6:
            return (AF_INET6, PyBytes_FromStringAndSize(<char *>&sin6.sin6_addr, 16), ntohs(sin6.sin6_port),
                    sin6.sin6_scope_id)
    raise ValueError("address of no known family")


def connect(int fd, bytes sa):
    """connect(2): 0 or -errno."""
    return 0 if c_connect(fd, <const c_sockaddr *>PyBytes_AS_STRING(sa), PyBytes_GET_SIZE(sa)) == 0 else -errno


def bind(int fd, bytes sa):
    """bind(2): 0 or -errno."""
    return 0 if c_bind(fd, <const c_sockaddr *>PyBytes_AS_STRING(sa), PyBytes_GET_SIZE(sa)) == 0 else -errno


def listen(int fd, int backlog):
    """listen(2): 0 or -errno."""
    return 0 if c_listen(fd, backlog) == 0 else -errno


def getsockname(int fd):
    """getsockname(2): an opaque address or -errno."""
    cdef sockaddr_storage ss
    cdef socklen_t n = sizeof(ss)
    if c_getsockname(fd, <c_sockaddr *>&ss, &n) < 0:
        return -errno
    return PyBytes_FromStringAndSize(<char *>&ss, n)


def getpeername(int fd):
    """getpeername(2): an opaque address or -errno."""
    cdef sockaddr_storage ss
    cdef socklen_t n = sizeof(ss)
    if c_getpeername(fd, <c_sockaddr *>&ss, &n) < 0:
        return -errno
    return PyBytes_FromStringAndSize(<char *>&ss, n)


def setsockopt(int fd, int level, int opt, int value):
    """setsockopt(2) of an int: 0 or -errno."""
    return 0 if c_setsockopt(fd, level, opt, &value, sizeof(value)) == 0 else -errno


def setsockopt_bytes(int fd, int level, int opt, bytes value):
    """setsockopt(2) of a packed struct: 0 or -errno."""
    return 0 if c_setsockopt(fd, level, opt, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value)) == 0 else -errno


def getsockopt(int fd, int level, int opt):
    """getsockopt(2) of an int: the value or -errno."""
    cdef int value = 0
    cdef socklen_t n = sizeof(value)
    return value if c_getsockopt(fd, level, opt, &value, &n) == 0 else -errno


def shutdown(int fd, int how):
    """shutdown(2): 0 or -errno."""
    return 0 if c_shutdown(fd, how) == 0 else -errno


def dup(int fd):
    """A close-on-exec duplicate of fd, or -errno."""
    cdef int n = fcntl(fd, F_DUPFD_CLOEXEC, 0)
    return n if n >= 0 else -errno
