# What both forms of asm promise; see asm.py for the text.

cimport cython
from cpython.ref cimport PyObject


cdef class mutex:
    cdef int key
    cdef int depth
    cdef void *owner


@cython.final
cdef class gqueue(mutex):
    cdef PyObject **ring
    cdef Py_ssize_t cap
    cdef Py_ssize_t head
    cdef public Py_ssize_t used
    cdef int _grow(self) noexcept
    cpdef int append(self, object g) except -1
    cpdef object get(self)
    cpdef object popleft(self)


cpdef int lock(mutex l) except -1
cpdef bint trylock(mutex l) except -1
cpdef int unlock(mutex l) except -1
cpdef object getm()
cpdef int setm(object mp) except -1
cpdef int gogo(object stack) except -1
cpdef object invoke(object fn, object args, object kwargs)
cpdef int smallstack() except -1
cpdef int ownstack(object stack) except -1
cpdef object curstack()
cpdef object curcontext()
cpdef object newstack(object run)
cpdef object callersite()
