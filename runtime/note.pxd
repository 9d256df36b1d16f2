cdef class note:
    cdef object _key
