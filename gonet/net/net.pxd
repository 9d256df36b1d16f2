from gonet.poll.fd_unix cimport FD


cdef class Conn:
    pass


cdef class Listener:
    pass


cdef class conn(Conn):
    cdef object __weakref__
    cdef public FD fd  # a netFD, whose module imports this one
