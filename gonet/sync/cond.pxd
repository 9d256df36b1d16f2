from runtime.proc cimport raiseinjected
from runtime.sema cimport (
    notifyList,
    notifyListAdd,
    notifyListCancel,
    notifyListNotifyAll,
    notifyListNotifyOne,
    notifyListWait,
    semaWaiter,
)
cimport cython


cdef class Cond:
    cdef object __weakref__
    cdef public object L
    cdef public notifyList notify
    @cython.locals(w=semaWaiter)
    cpdef object Wait(self)
    cpdef object Signal(self)
    cpdef object Broadcast(self)


cdef int _lockagain(object l) except -1
