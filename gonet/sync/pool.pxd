cimport cython


cdef class Pool:
    cdef object __weakref__
    cdef public object New
    cdef public list local
    cdef public list victim
    @cython.locals(local=list, victim=list)
    cpdef object Get(self)
    @cython.locals(local=list, fresh=list)
    cpdef object Put(self, object x)
