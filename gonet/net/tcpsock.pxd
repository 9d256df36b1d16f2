from gonet.net.fd cimport netFD
from gonet.net.net cimport Listener, conn


cdef class TCPConn(conn):
    pass


cdef class TCPListener(Listener):
    cdef object __weakref__
    cdef public netFD fd
    cdef public object _config
    cdef public object _keepAlive
    cdef public object _log
    cdef public object _starved
