cimport cython

cdef unsigned long long _MUL, _ADD, _M64, _state


@cython.locals(x="unsigned long long")
cpdef unsigned long long cheaprand() noexcept
@cython.locals(x="unsigned long long")
cpdef unsigned long long cheaprandn(unsigned long long n) noexcept
