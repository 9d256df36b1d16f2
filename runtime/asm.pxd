# What both forms of asm promise; see asm.py for the text.

cdef class mutex:
    cdef int key


cdef class gobuf:
    cdef public object tostack


cpdef int lock(mutex l) except -1
cpdef bint trylock(mutex l) except -1
cpdef int unlock(mutex l) except -1
cpdef object getm()
cpdef int setm(object mp) except -1
cpdef int gogo(gobuf buf) except -1
cpdef object newstack(object run)
cpdef object callersite()
