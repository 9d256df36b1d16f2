from runtime.asm cimport lock, mutex, unlock
from runtime.gmp cimport Sched
cimport cython

cdef object _MISSING
cdef Sched sched


cdef class Map(mutex):
    cdef object __weakref__
    cdef public dict m
    cpdef object Load(self, object key)
    cpdef object Store(self, object key, object value)
    cpdef object Swap(self, object key, object value)
    cpdef object LoadOrStore(self, object key, object value)
    cpdef object LoadAndDelete(self, object key)
    cpdef object Delete(self, object key)
    @cython.locals(same=bint)
    cpdef bint CompareAndSwap(self, object key, object old, object new) except -1
    @cython.locals(same=bint)
    cpdef bint CompareAndDelete(self, object key, object old) except -1
    cpdef object Clear(self)
    @cython.locals(keys=dict)
    cpdef object Range(self, object f)
