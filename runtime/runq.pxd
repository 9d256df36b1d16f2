from runtime.gmp cimport G, P, Sched
from runtime.idle cimport wakem
cimport cython

cdef Sched sched


@cython.locals(got=G, gp=G, other=P)
cpdef G runqsteal(P pp)
@cython.locals(gp=G)
cpdef int runqdrain(P pp) except -1
