# Compiled so that its ticks are short.
from runtime.gmp cimport G
cimport cython

cdef int _Gwaiting


@cython.locals(gp=G)
cpdef int markwaiting(long long now) except -1
