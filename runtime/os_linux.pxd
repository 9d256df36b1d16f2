from runtime.asm cimport lock, unlock
from runtime.gmp cimport Sched

cdef Sched sched


cdef int _addown(int n) except -1
cdef int _addstarting(int n) except -1
