# What both forms of rawsys promise to compiled callers; see rawsys.py for the text.

cdef class Epoll:
    cdef int epfd
    cdef int cap
    cdef void *buf
    cpdef long add(self, int fd, unsigned int events, long long data) except? -1
    cpdef long delete(self, int fd) except? -1
    cpdef long wait(self, long timeout_ms) except? -1
    cdef long ready
    cdef long i
    cdef readonly unsigned int events
    cdef readonly long long data
    cpdef bint next(self) except -1
    cpdef int fileno(self) except? -1
    cpdef long close(self) except? -1

cpdef long long nanotime() except? -1
cpdef int checksignals() except -1
cpdef long long nbytes(object data) except? -1
cpdef long long writable_nbytes(object buf) except? -1
cpdef long long recv(int fd, object buf) except? -1
cpdef long long recvahead(int fd, object buf) noexcept
cpdef long long send(int fd, object data, long long off) except? -1
cpdef long long read(int fd, object buf) except? -1
cpdef long long write(int fd, object data, long long off) except? -1
cpdef object accept4(int fd)
cpdef long close(int fd) except? -1
cpdef long eventfd() except? -1
cpdef long eventfd_write(int fd) except? -1
cpdef long eventfd_read(int fd) except? -1
