from runtime.asm cimport callersite, curcontext, getm, lock, unlock
from runtime.gmp cimport G, M, P, Sched
from runtime.idle cimport wakem, wakep
from runtime.proc cimport acquirem, runqput
cimport cython

cdef Sched sched
cdef int _Grunnable, _Pdead, _GOIDBATCH


cpdef G newproc(object fn, object args, object kwargs)
cpdef G goafter(object fn, object site, object ctx)
@cython.locals(pp=P, gp=G)
cdef G newproc1(M mp, object fn, object args, object kwargs, object site, object ctx)
@cython.locals(id="long long")
cpdef long long newgoid(P pp) except? -1
cpdef object contextcopy()
