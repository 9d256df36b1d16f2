from gonet.poll.fd_unix cimport FD


cdef class netFD(FD):
    cdef public int family
    cdef public int sotype
    cdef public object net
    cdef public object lsa
    cdef public object rsa
