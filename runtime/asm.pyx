"""What Go writes in assembly: the thread's M, the switch between stacks, and the mutex's compare-and-swap.

The C form of asm.py, which has the text. Differs from it: under the GIL a mutex is a plain flag, since nothing
between lock and unlock gives the GIL up; on a free-threaded build it is an atomic exchange.
"""

from cpython.ref cimport Py_INCREF, PyObject

from greenlet import getcurrent, greenlet

__all__ = ["callersite", "getcurrent", "getm", "gobuf", "gogo", "immortal", "lock", "mutex", "newstack", "setm", "trylock", "unlock"]


cdef extern from *:
    """
    #include "greenlet.h"
    #include <string.h>
    #include <time.h>
    #if PY_VERSION_HEX < 0x030B0000
    #include "frameobject.h"
    #endif

    #if defined(_MSC_VER)
    static __declspec(thread) PyObject *gonet_tls_m = NULL;
    #else
    static __thread PyObject *gonet_tls_m = NULL;
    #endif

    static CYTHON_INLINE PyObject *gonet_getm(void) { return gonet_tls_m; }
    static CYTHON_INLINE void gonet_setm(PyObject *m) { gonet_tls_m = m; }

    static int gonet_import_greenlet(void) {
        PyGreenlet_Import();
        return _PyGreenlet_API == NULL ? -1 : 0;
    }

    static CYTHON_INLINE int gonet_gogo(PyObject *to) {
        PyObject *r = PyGreenlet_Switch((PyGreenlet *)to, NULL, NULL);
        if (r == NULL) return -1;
        Py_DECREF(r);
        return 0;
    }

    #ifdef Py_GIL_DISABLED
    #define gonet_trylock(key) (__atomic_exchange_n((key), 1, __ATOMIC_ACQUIRE) == 0)
    #define gonet_unlock(key) __atomic_store_n((key), 0, __ATOMIC_RELEASE)
    #else
    #define gonet_trylock(key) (*(key) == 0 ? (*(key) = 1) : 0)
    #define gonet_unlock(key) (*(key) = 0)
    #endif

    /* Contended: the holder has lost the GIL inside, or runs beside us. Both are over in microseconds. */
    static void gonet_lockslow(int *key) {
        struct timespec ts = {0, 20000};
        while (!gonet_trylock(key)) {
            Py_BEGIN_ALLOW_THREADS
            nanosleep(&ts, NULL);
            Py_END_ALLOW_THREADS
        }
    }

    static int gonet_ours(PyFrameObject *f, PyObject *key) {
        int ours = 0;
    #if PY_VERSION_HEX >= 0x030B0000
        PyObject *globals = PyFrame_GetGlobals(f);
    #else
        PyObject *globals = f->f_globals;
        Py_INCREF(globals);
    #endif
        PyObject *name = PyDict_GetItemWithError(globals, key);
        if (name != NULL && PyUnicode_Check(name)) {
            const char *s = PyUnicode_AsUTF8(name);
            if (s == NULL) PyErr_Clear();
            else ours = (strncmp(s, "gonet", 5) == 0 && (s[5] == 0 || s[5] == '.'))
                     || (strncmp(s, "runtime", 7) == 0 && (s[7] == 0 || s[7] == '.'));
        }
        Py_DECREF(globals);
        return ours;
    }

    static PyObject *gonet_callersite(PyObject *key) {
        PyFrameObject *f = PyEval_GetFrame();      /* borrowed */
        PyObject *code;
        int lasti;
        Py_XINCREF(f);
        while (f != NULL && gonet_ours(f, key)) {
            PyFrameObject *back = PyFrame_GetBack(f);
            Py_DECREF(f);
            f = back;
        }
        if (f == NULL) Py_RETURN_NONE;
        code = (PyObject *)PyFrame_GetCode(f);
    #if PY_VERSION_HEX >= 0x030B0000
        lasti = PyFrame_GetLasti(f);
    #else
        lasti = f->f_lasti * 2;
    #endif
        Py_DECREF(f);
        return Py_BuildValue("(Ni)", code, lasti);
    }
    """
    PyObject *gonet_getm() noexcept
    void gonet_setm(PyObject *m) noexcept
    int gonet_import_greenlet() except -1
    int gonet_gogo(PyObject *to) except -1
    bint gonet_trylock(int *key) noexcept
    void gonet_unlock(int *key) noexcept
    void gonet_lockslow(int *key)
    object gonet_callersite(object key)


gonet_import_greenlet()


cdef class mutex:
    """A runtime lock: held for a few lines, never over a park. Subclassed by what embeds one (PollDesc, timers)."""

    def __init__(self):
        self.key = 0


cdef class gobuf:
    """Where a switch goes: the greenlet is held by this field, and by nothing on the stack that is left."""

    def __init__(self):
        self.tostack = None


cpdef int lock(mutex l) except -1:
    """Acquire l, waiting for another thread if need be."""
    if not gonet_trylock(&l.key):
        gonet_lockslow(&l.key)
    return 0


cpdef bint trylock(mutex l) except -1:
    """Acquire l if that needs no waiting; whether it did."""
    return gonet_trylock(&l.key)


cpdef int unlock(mutex l) except -1:
    """Release l, which the caller holds."""
    gonet_unlock(&l.key)
    return 0


cpdef object getm():
    """The calling thread's M, or None if the thread has not been adopted."""
    cdef PyObject *mp = gonet_getm()
    if mp == NULL:
        return None
    return <object>mp


cpdef int setm(object mp) except -1:
    """Make mp the calling thread's M. The slot borrows: sched.allm keeps every M alive while its thread lives."""
    gonet_setm(NULL if mp is None else <PyObject *>mp)
    return 0


cpdef int gogo(gobuf buf) except -1:
    """Switch to the greenlet in buf.tostack; returns when somebody switches back."""
    return gonet_gogo(<PyObject *>buf.tostack)


cpdef object newstack(object run):
    """A new greenlet that calls run() on its first switch; its parent is the current one."""
    return greenlet(run)


cpdef object callersite():
    """(code, byte offset of its instruction) of the nearest frame outside gonet, which is not kept alive."""
    return gonet_callersite("__name__")


def immortal(object obj):
    """Keep obj to the very end of the process, beyond the interpreter's own clearing up.

    Goroutines that are parked when the program ends must not be unwound: freeing a greenlet would do that.
    """
    Py_INCREF(obj)
