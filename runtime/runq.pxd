from runtime.gmp cimport G, P, Sched
cimport cython

cdef Sched sched


@cython.locals(got=G, gp=G, other=P)
cpdef G runqsteal(P pp)
@cython.locals(gp=G)
cpdef int runqdrain(P pp) except -1
