from runtime.asm cimport lock, mutex, unlock
cimport cython

cdef bint LOCKS


cdef class integer(mutex):
    cdef object lo  # objects all of them: v is returned as it is, and no argument is too large
    cdef object hi
    cdef object mask
    cdef object v
    cdef int _setup(self, object lo, object hi) except -1
    cdef object _wrap(self, object n)
    cpdef object Load(self)
    cpdef object Store(self, object val)
    cpdef object Swap(self, object new)
    @cython.locals(same=bint)
    cpdef bint CompareAndSwap(self, object old, object new) except -1
    cpdef object Add(self, object delta)
    cpdef object And(self, object mask)
    cpdef object Or(self, object mask)


cdef class Int32(integer):
    pass


cdef class Int64(integer):
    pass


cdef class Uint32(integer):
    pass


cdef class Uint64(integer):
    pass


cdef class Pointer(mutex):
    cdef object v
    cpdef object Load(self)
    cpdef object Store(self, object val)
    cpdef object Swap(self, object new)
    @cython.locals(same=bint)
    cpdef bint CompareAndSwap(self, object old, object new) except -1


cdef class Bool(Pointer):
    cpdef object Store(self, object val)
    cpdef object Swap(self, object new)
    cpdef bint CompareAndSwap(self, object old, object new) except -1


cdef class Value(Pointer):
    cpdef object Store(self, object val)
    cpdef object Swap(self, object new)
    cdef object _set(self, object op, object new)
    cpdef bint CompareAndSwap(self, object old, object new) except -1
